"""A prepared split, opened."""

from __future__ import annotations

from segmodels.datasets.described import skipped_in
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.registry import data_folder, dataset_kind


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
