"""Preparing a dataset: unpack or draw it, and describe what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.files import write_json
from segmodels.core.notes import note
from segmodels.core.progress import Progress
from segmodels.datasets.building import empty_folder, fill_folder, replace_folder
from segmodels.datasets.described import description, description_path
from segmodels.datasets.description import describe
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import _here, data_folder, dataset_kind
from segmodels.datasets.shared_images import check_shared


def is_as_described(name: str, progress: Progress | None = None) -> bool:
    """Whether a user's own dataset was prepared, and its files are what they were then.

    Raises:
        SegmodelsError: a file is missing or wrong now.
    """
    if not (data_folder(name).is_dir() and description_path(name).is_file()):
        return False
    kind = dataset_kind(name)
    splits = {split: kind(data_folder(name), split) for split in kind.splits}
    return describe(kind, splits, progress) == description(name)


def prepare_dataset(
    name: str, downloads: Path | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Make `data/<name>` and `reports/local/datasets/<name>.json`.

    The folder is built beside its place and moved there once its content has been checked,
    so a failure leaves what was there before. A copy of the user's (`add_dataset`) goes before
    archives.

    Returns:
        the description written.

    Raises:
        SegmodelsError: the archive is damaged or its content is not the expected one; or a user's
            own dataset has training images in another split.
    """
    kind, entry = dataset_kind(name), load_dataset_entry(name)
    with empty_folder(name) as folder:
        fill_folder(kind, entry, downloads, folder)
        splits = {split: kind(folder, split) for split in _here(kind, folder)}
        copy = registered(name)
        found = describe(kind, splits, progress, copy is not None and copy.skip_unreadable)
        check_expected(entry, found)
        if entry.own:
            for text in check_shared(entry.own, splits):
                note(f"dataset {name!r}: {text}.")
        replace_folder(folder, data_folder(name))
        write_json(description_path(name), found)
    return found
