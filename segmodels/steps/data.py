"""A dataset: its archives, and what `prepare` makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segmodels import layout
from segmodels.assets import load_dataset_entry
from segmodels.datasets import dataset_kind, prepare_dataset
from segmodels.datasets.folder import POINTER, write_pointer
from segmodels.datasets.registration import registered
from segmodels.datasets.survey import Progress
from segmodels.fetch import fetch_archives


def download(dataset: str) -> Path:
    """Fetch the archives of a dataset, or note which copy is used; returns the folder."""
    if copy := registered(dataset):
        write_pointer(layout.downloads(dataset) / POINTER, copy)
        return layout.downloads(dataset)
    return fetch_archives(load_dataset_entry(dataset), layout.downloads(dataset))


def prepare(dataset: str, progress: Progress | None = None) -> dict[str, Any]:
    """Make `data/<dataset>` from its archives (or from nothing) and describe its content."""
    dataset_kind(dataset)
    archives = layout.downloads(dataset) if load_dataset_entry(dataset).archives else None
    return prepare_dataset(dataset, archives, progress)
