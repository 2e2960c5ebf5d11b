"""Datasets by name; one file each. To add one: a file here, and an entry in `params/`."""

from __future__ import annotations

from segmodels.core.arrays import VOID
from segmodels.datasets.copies import add_dataset, forget_dataset, skip_unreadable
from segmodels.datasets.described import (
    described_split,
    description,
    description_path,
    forget_description,
    skipped_in,
)
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.reading.base import Dataset, Sample
from segmodels.datasets.registry import DATASETS, data_folder, dataset_kind, splits_here

__all__ = [
    "DATASETS",
    "VOID",
    "Dataset",
    "Sample",
    "add_dataset",
    "data_folder",
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
