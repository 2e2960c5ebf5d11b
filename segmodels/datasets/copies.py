"""Copies of datasets that a user has: used where they lie."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from segmodels.assets.entries import load_dataset_entry
from segmodels.core import paths
from segmodels.datasets.building import empty_folder, fill_folder, replace_folder
from segmodels.datasets.described import forget_description
from segmodels.datasets.reading.folder import POINTER, Copy, copy_of
from segmodels.datasets.registration import (
    Inspection,
    inspect,
    register,
    registered,
    registration_path,
)
from segmodels.datasets.registry import data_folder, dataset_kind
from segmodels.errors import SegmodelsError


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
        SegmodelsError: the dataset was made here and can be made again, undamaged; or is the
            user's own.
    """
    copy = registered(name)
    if load_dataset_entry(name).own:
        raise SegmodelsError(
            f"{name} is your own: repair the images that are named, or take them out of its splits."
        )
    if copy is None:
        raise SegmodelsError(
            f"{name} is no copy of yours: delete {data_folder(name)} and it is made again, "
            f"undamaged. Only of a copy (segmodels data add) can images be left out."
        )
    _use(name, copy.replace(skip_unreadable=True))
    forget_description(name)  # of the files as they were then


def _use(name: str, copy: Copy) -> None:
    before = registered(name)
    register(name, copy)
    if registered(name) != before or not data_folder(name).is_dir():
        with empty_folder(name) as folder:
            fill_folder(dataset_kind(name), load_dataset_entry(name), None, folder)
            replace_folder(folder, data_folder(name))
            forget_description(name)


def forget_dataset(name: str) -> Path:
    """Stop using a copy of the user's; returns where it lies, untouched.

    Raises:
        SegmodelsError: none is used.
    """
    copy = registered(name)
    if copy is None and (entry := load_dataset_entry(name)).own:
        raise SegmodelsError(f"{name} is your own: remove {entry.file}; nothing uses it then.")
    if copy is None:
        raise SegmodelsError(f"no copy of {name!r} was added.")
    registration_path(name).unlink()
    (paths.downloads(name) / POINTER).unlink(missing_ok=True)
    shutil.rmtree(data_folder(name), ignore_errors=True)
    return copy.path
