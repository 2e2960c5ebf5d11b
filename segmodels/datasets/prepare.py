"""Preparing a dataset: unpack or draw it, and describe what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.files import write_json
from segmodels.core.notes import note
from segmodels.core.progress import Progress
from segmodels.datasets.building import empty_folder, fill_folder, replace_folder
from segmodels.datasets.described import description_path
from segmodels.datasets.description import describe
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import _here, data_folder, dataset_kind
from segmodels.datasets.shared_images import check_shared


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
