"""Preparing a dataset: unpack or draw it, and describe what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.files import write_json
from segmodels.core.notes import note
from segmodels.core.progress import Progress
from segmodels.datasets.building import empty_folder, fill_folder, replace_folder
from segmodels.datasets.described import description, description_path
from segmodels.datasets.description import describe, describe_split
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import _here, data_folder, dataset_kind
from segmodels.datasets.shared_images import check_shared
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError


def is_as_described(
    name: str, progress: Progress | None = None, needed: Sequence[str] = ()
) -> bool:
    """Whether a user's own dataset was prepared, and its files are what they were then.

    Args:
        name: of the dataset.
        progress: called after every sample that had to be decoded.
        needed: splits that must be without fault; of others a fault is only noted. Empty: all.

    Raises:
        SegmodelsError: a file is missing or wrong now.
    """
    if not (data_folder(name).is_dir() and description_path(name).is_file()):
        return False
    kind = dataset_kind(name)
    splits = _splits(kind, data_folder(name), needed, progress)
    return describe(kind, splits, progress) == description(name)


def prepare_dataset(
    name: str,
    downloads: Path | None = None,
    progress: Progress | None = None,
    needed: Sequence[str] = (),
) -> dict[str, Any]:
    """Make `data/<name>` and `reports/local/datasets/<name>.json`.

    The folder is built beside its place and moved there once its content has been checked,
    so a failure leaves what was there before. A copy of the user's (`add_dataset`) goes before
    archives. Of a user's own dataset a fault in a split that is not `needed` is only noted, and the
    split described as absent.

    Returns:
        the description written.

    Raises:
        SegmodelsError: the archive is damaged or its content is not the expected one; or a user's
            own dataset has training images in another split.
    """
    kind, entry = dataset_kind(name), load_dataset_entry(name)
    with empty_folder(name) as folder:
        fill_folder(kind, entry, downloads, folder)
        splits = _splits(kind, folder, needed if entry.own else (), progress)
        copy = registered(name)
        found = describe(kind, splits, progress, copy is not None and copy.skip_unreadable)
        check_expected(entry, found)
        if entry.own:
            for text in check_shared(entry.own, splits):
                note(f"dataset {name!r}: {text}.")
        replace_folder(folder, data_folder(name))
        write_json(description_path(name), found)
    return found


def _splits(
    kind: type[Dataset], folder: Path, needed: Sequence[str], progress: Progress | None
) -> dict[str, Dataset]:
    """The splits that are here; without those that have a fault and that nobody needs."""
    found = {}
    for split in _here(kind, folder):
        try:
            dataset = kind(folder, split)
            if needed and split not in needed:
                describe_split(dataset, survey(dataset, progress))
        except SegmodelsError as error:
            if not needed or split in needed:
                raise
            note(
                f"dataset {kind.name!r}: split {split!r} is not needed now, and its images were "
                f"not compared with those of {', '.join(needed)}: {error}"
            )
        else:
            found[split] = dataset
    return found
