"""The identity of a dataset: a digest of its decoded content, whatever packed the bytes."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from segmodels.assets import DatasetEntry
from segmodels.datasets.base import Dataset, Sample
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.files import combine
from segmodels.pixels import VOID
from segmodels.versions import DATASETS


def sample_digest(sample: Sample) -> str:
    """Hex SHA-256 over shape and pixels of image and label."""
    state = hashlib.sha256()
    for pixels in (sample.image, sample.label):
        state.update(repr(pixels.shape).encode())
        state.update(np.ascontiguousarray(pixels).data)
    return state.hexdigest()


def describe_split(dataset: Dataset) -> dict[str, Any]:
    """Number of images, fingerprint and pixels per class of a prepared split."""
    histogram = np.zeros(256, dtype=np.int64)
    digests = []
    for sample in dataset:
        histogram += np.bincount(sample.label.ravel(), minlength=256)
        digests.append((sample.name, sample_digest(sample)))
    pixels = {name: int(histogram[c]) for c, name in enumerate(dataset.class_names)}
    return {
        "images": len(dataset),
        "fingerprint": combine(digests),
        "pixels": {**pixels, "void": int(histogram[VOID])},
    }


def describe(kind: type[Dataset], splits: dict[str, Dataset]) -> dict[str, Any]:
    """What `prepare` records of a dataset and every later stage depends on."""
    return {
        "dataset": kind.name,
        "version": DATASETS,
        "classes": list(kind.class_names),
        "splits": {split: describe_split(dataset) for split, dataset in splits.items()},
    }


def check_expected(entry: DatasetEntry, found: dict[str, Any]) -> None:
    """Compare with the content that `params/datasets.yaml` promises.

    Raises:
        SegmodelsError: a split has other images or other pixels.
    """
    for split, expected in entry.splits.items():
        if split not in found["splits"]:
            raise SegmodelsError(
                f"params/datasets.yaml, dataset {entry.name!r}: "
                f"{UnknownNameError('split', split, found['splits'])}"
            )
        actual = found["splits"][split]
        for field in ("images", "fingerprint"):
            if field in expected and actual[field] != expected[field]:
                raise SegmodelsError(
                    f"dataset {entry.name!r}, split {split!r}: {field} is {actual[field]}, "
                    f"params/datasets.yaml expects {expected[field]}. The archive is not the one "
                    f"the numbers were measured on."
                )
