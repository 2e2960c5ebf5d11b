"""Assets: where bytes come from, from `params/weights.yaml` and `params/datasets.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily

if TYPE_CHECKING:
    from segmodels.assets.entries import (
        DatasetEntry,
        WeightsEntry,
        load_dataset_entries,
        load_dataset_entry,
        load_weights_entries,
        load_weights_entry,
    )
    from segmodels.assets.fetch import fetch_archives, fetch_weights
    from segmodels.assets.remote_file import RemoteFile

_HOMES = {
    "DatasetEntry": "entries",
    "RemoteFile": "remote_file",
    "WeightsEntry": "entries",
    "fetch_archives": "fetch",
    "fetch_weights": "fetch",
    "load_dataset_entries": "entries",
    "load_dataset_entry": "entries",
    "load_weights_entries": "entries",
    "load_weights_entry": "entries",
}

__all__ = [
    "DatasetEntry",
    "RemoteFile",
    "WeightsEntry",
    "fetch_archives",
    "fetch_weights",
    "load_dataset_entries",
    "load_dataset_entry",
    "load_weights_entries",
    "load_weights_entry",
]

__getattr__ = lazily(__name__, _HOMES)
