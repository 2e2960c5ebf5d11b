"""Datasets by name. To add one: a file with a `Dataset` subclass, and one line here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segmodels import layout
from segmodels.assets import DatasetEntry, load_dataset_entries, load_dataset_entry
from segmodels.datasets.ade20k import ADE20K
from segmodels.datasets.base import Dataset, Sample
from segmodels.datasets.camvid import CamVid
from segmodels.datasets.camvid_720 import CamVid720
from segmodels.datasets.cityscapes import Cityscapes
from segmodels.datasets.coco_stuff import CocoStuff10k, CocoStuff164k, CocoStuff182
from segmodels.datasets.description import describe
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.folder import POINTER, Copy, FolderDataset, copy_of, write_pointer
from segmodels.datasets.pascal_context import PascalContext
from segmodels.datasets.registration import (
    Inspection,
    inspect,
    register,
    registered,
    registration_path,
)
from segmodels.datasets.shapes import Shapes
from segmodels.datasets.survey import Progress
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.files import read_json, write_json
from segmodels.locks import only_one
from segmodels.pixels import VOID
from segmodels.settings import cache_dir, project_root

DATASETS: dict[str, type[Dataset]] = {
    kind.name: kind
    for kind in (
        ADE20K,
        CamVid,
        CamVid720,
        Cityscapes,
        CocoStuff10k,
        CocoStuff164k,
        CocoStuff182,
        PascalContext,
        Shapes,
    )
}

__all__ = [
    "DATASETS",
    "VOID",
    "Dataset",
    "Sample",
    "add_dataset",
    "dataset_kind",
    "described_split",
    "description",
    "description_path",
    "forget_dataset",
    "forget_description",
    "open_dataset",
    "prepare_dataset",
    "skip_unreadable",
    "skipped_in",
    "splits_here",
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


def open_dataset(name: str, split: str, whole: bool = False) -> Dataset:
    """Open a prepared split (errors as in `Dataset`).

    Args:
        name: of the dataset.
        split: one of its splits.
        whole: with the samples that were left out because they cannot be read.
    """
    dataset = dataset_kind(name)(data_folder(name), split)
    if not whole:
        dataset.leave_out(skipped_in(name, split))
    return dataset


def skipped_in(name: str, split: str) -> dict[str, str]:
    """Samples of a split that its description leaves out, with the reason."""
    path = description_path(name)
    found: dict[str, dict[str, Any]] = read_json(path)["splits"] if path.is_file() else {}
    return dict(found.get(split, {}).get("skipped", {}))


def description_path(name: str) -> Path:
    """Where `prepare` records the fingerprint of a dataset."""
    return project_root() / "reports" / "datasets" / f"{name}.json"


def description(name: str) -> dict[str, Any]:
    """What `prepare` recorded (SegmodelsError when it has not run)."""
    found: dict[str, Any] = read_json(description_path(name))
    return found


def described_split(name: str, split: str) -> dict[str, Any]:
    """What `prepare` recorded of a split.

    Raises:
        SegmodelsError: it has not run, or the split was not here then.
    """
    found: dict[str, dict[str, Any]] = description(name)["splits"]
    if split not in found:
        raise SegmodelsError(
            f"{description_path(name)}: split {split!r} of {name} was not here when it was "
            f"prepared. Add its files, then: segmodels data add {name} PATH"
        )
    return found[split]


def prepare_dataset(
    name: str, downloads: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Make `data/<name>` and `reports/datasets/<name>.json`.

    The folder is built beside its place and moved there once its content has been checked,
    so a failure leaves what was there before. A copy of the user's (`add_dataset`) goes before
    archives.

    Returns:
        the description written.

    Raises:
        SegmodelsError: the archive is damaged or its content is not the expected one.
    """
    kind, entry = dataset_kind(name), load_dataset_entry(name)
    with _building(name) as folder:
        _fill(kind, entry, downloads, folder)
        splits = {split: kind(folder, split) for split in _here(kind, folder)}
        copy = registered(name)
        found = describe(kind, splits, progress, copy is not None and copy.skip_unreadable)
        check_expected(entry, found)
        _replace_folder(folder, data_folder(name))
        write_json(description_path(name), found)
    return found


def add_dataset(
    name: str, path: Path, splits: Sequence[str] = (), skip: bool = False
) -> Inspection:
    """Use a copy of a dataset where it lies: `data/<name>` becomes a pointer to it.

    What an earlier copy was described as is forgotten; `prepare_dataset` describes this one.

    Args:
        name: of the dataset.
        path: its folder, one above it, or its zip archive; all known layouts are tried.
        splits: only these; default all that are there.
        skip: go on without images that are damaged, if they are few (`description.left_out`).

    Raises:
        SegmodelsError: it is not there, incomplete, or labels are written in another way.
    """
    found = inspect(dataset_kind(name), load_dataset_entry(name), path, splits, skip)
    _use(name, copy_of(found.place, skip))
    return found


def skip_unreadable(name: str) -> None:
    """Go on without images of a copy that are damaged, if they are few.

    Raises:
        SegmodelsError: the dataset was made here and can be made again, undamaged.
    """
    copy = registered(name)
    if copy is None:
        raise SegmodelsError(
            f"{name} is no copy of yours: delete {data_folder(name)} and it is made again, "
            f"undamaged. Only of a copy (segmodels data add) can images be left out."
        )
    _use(name, copy._replace(skip_unreadable=True))
    forget_description(name)  # of the files as they were then


def _use(name: str, copy: Copy) -> None:
    before = registered(name)
    register(name, copy)
    if registered(name) != before or not data_folder(name).is_dir():
        with _building(name) as folder:
            _fill(dataset_kind(name), load_dataset_entry(name), None, folder)
            _replace_folder(folder, data_folder(name))
            forget_description(name)


def forget_description(name: str) -> None:
    """Have a dataset described again when it is next needed."""
    description_path(name).unlink(missing_ok=True)


def forget_dataset(name: str) -> Path:
    """Stop using a copy of the user's; returns where it lies, untouched.

    Raises:
        SegmodelsError: none is used.
    """
    copy = registered(name)
    if copy is None:
        raise SegmodelsError(f"no copy of {name!r} was added.")
    registration_path(name).unlink()
    (layout.downloads(name) / POINTER).unlink(missing_ok=True)
    shutil.rmtree(data_folder(name), ignore_errors=True)
    return copy.path


def splits_here(name: str) -> tuple[str, ...]:
    """The splits of a prepared or added dataset (SegmodelsError when it is neither)."""
    kind = dataset_kind(name)
    if not data_folder(name).is_dir():
        kind(data_folder(name), kind.splits[0])  # says what to do
    return _here(kind, data_folder(name))


def _fill(kind: type[Dataset], entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
    copy = registered(entry.name)
    if copy is None:
        kind.prepare(entry, downloads, folder)
    else:
        write_pointer(folder / POINTER, copy)


def _here(kind: type[Dataset], folder: Path) -> tuple[str, ...]:
    """The splits in a prepared folder; most datasets come whole."""
    return kind.place(folder).splits if issubclass(kind, FolderDataset) else kind.splits


@contextmanager
def _building(name: str) -> Iterator[Path]:
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
