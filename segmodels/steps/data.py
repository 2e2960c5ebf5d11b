"""A dataset: its archives, and what `prepare` makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segmodels.assets.entries import load_dataset_entry
from segmodels.assets.fetch import fetch_archives
from segmodels.core import paths
from segmodels.core.progress import Progress
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.reading.folder import POINTER, write_pointer
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import dataset_kind


def download(dataset: str) -> Path:
    """Fetch the archives of a dataset, or note which copy is used; returns the folder."""
    if copy := registered(dataset):
        write_pointer(paths.downloads(dataset) / POINTER, copy)
        return paths.downloads(dataset)
    return fetch_archives(load_dataset_entry(dataset), paths.downloads(dataset))


def prepare(
    dataset: str, progress: Progress | None = None, needed: Sequence[str] = ()
) -> dict[str, Any]:
    """Make `data/<dataset>` from its archives (or from nothing) and describe its content.

    Args:
        dataset: its name.
        progress: called after every sample that had to be decoded.
        needed: splits of a user's own dataset that must be without fault; empty for all.
    """
    dataset_kind(dataset)
    archives = paths.downloads(dataset) if load_dataset_entry(dataset).archives else None
    return prepare_dataset(dataset, archives, progress, needed)
