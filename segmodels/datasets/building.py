"""The folder of a prepared dataset, made whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segmodels.assets.entries import DatasetEntry
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.reading.folder import POINTER, write_pointer
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import data_folder
from segmodels.errors import SegmodelsError


def fill_folder(
    kind: type[Dataset], entry: DatasetEntry, downloads: Path | None, folder: Path
) -> None:
    """Draw or unpack a dataset into a folder; of a user's copy a pointer to it."""
    copy = registered(entry.name)
    if copy is None:
        kind.prepare(entry, downloads, folder)
    else:
        write_pointer(folder / POINTER, copy)


@contextmanager
def empty_folder(name: str) -> Iterator[Path]:
    """An empty folder beside the place of a dataset, gone at the end."""
    building = data_folder(name).with_name(f".{name}.building")
    with only_one(cache_dir() / "prepare" / f"{name}.lock", f"preparing {name}"):
        try:
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(parents=True)
            yield building
        except OSError as error:
            where = error.filename or building
            raise SegmodelsError(f"{where}: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)


def replace_folder(new: Path, old: Path) -> None:
    """Put a new folder in the place of an old one, which is brought back if that fails."""
    retired = old.with_name(f".{old.name}.retired")
    shutil.rmtree(retired, ignore_errors=True)
    if old.exists():
        old.rename(retired)
    try:
        new.rename(old)
    except OSError:
        if retired.exists():
            retired.rename(old)
        raise
    shutil.rmtree(retired, ignore_errors=True)
