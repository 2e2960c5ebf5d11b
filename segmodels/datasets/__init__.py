"""Datasets by name. To add one: a file with a `Dataset` subclass, and one line here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from segmodels.assets import load_dataset_entries, load_dataset_entry
from segmodels.datasets.base import Dataset, Sample
from segmodels.datasets.camvid import CamVid
from segmodels.datasets.fingerprint import check_expected, describe
from segmodels.datasets.shapes import Shapes
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.files import read_json, write_json
from segmodels.locks import only_one
from segmodels.pixels import VOID
from segmodels.settings import cache_dir, project_root

DATASETS: dict[str, type[Dataset]] = {kind.name: kind for kind in (CamVid, Shapes)}

__all__ = [
    "DATASETS",
    "VOID",
    "Dataset",
    "Sample",
    "dataset_kind",
    "description",
    "description_path",
    "open_dataset",
    "prepare_dataset",
]


def dataset_kind(name: str) -> type[Dataset]:
    """The class that reads a dataset.

    Raises:
        UnknownNameError: no such dataset; the message suggests the nearest.
        SegmodelsError: it is registered but cannot be read; the message gives the reason.
    """
    if name in DATASETS:
        return DATASETS[name]
    entries = load_dataset_entries()
    if name in entries:
        raise SegmodelsError(f"dataset {name!r} is {entries[name].state}: {entries[name].reason}.")
    raise UnknownNameError("dataset", name, {*DATASETS, *entries})


def data_folder(name: str) -> Path:
    """Where a prepared dataset lies."""
    return project_root() / "data" / name


def open_dataset(name: str, split: str) -> Dataset:
    """Open a prepared split (errors as in `Dataset`)."""
    return dataset_kind(name)(data_folder(name), split)


def description_path(name: str) -> Path:
    """Where `prepare` records the fingerprint of a dataset."""
    return project_root() / "reports" / "datasets" / f"{name}.json"


def description(name: str) -> dict[str, Any]:
    """What `prepare` recorded (SegmodelsError when it has not run)."""
    found: dict[str, Any] = read_json(description_path(name))
    return found


def prepare_dataset(name: str, downloads: Path | None = None) -> dict[str, Any]:
    """Make `data/<name>` and `reports/datasets/<name>.json`.

    The folder is built beside its place and moved there once its content has been checked,
    so a failure leaves what was there before.

    Returns:
        the description written.

    Raises:
        SegmodelsError: the archive is damaged or its content is not the expected one.
    """
    kind, entry, final = dataset_kind(name), load_dataset_entry(name), data_folder(name)
    building = final.with_name(f".{name}.building")
    with only_one(cache_dir() / "prepare" / f"{name}.lock", f"preparing {name}"):
        try:
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(parents=True)
            kind.prepare(entry, downloads, building)
            found = describe(kind, {split: kind(building, split) for split in kind.splits})
            check_expected(entry, found)
            _replace_folder(building, final)
            write_json(description_path(name), found)
        except OSError as error:
            where = error.filename or building
            raise SegmodelsError(f"{where}: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return found


def _replace_folder(new: Path, old: Path) -> None:
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
