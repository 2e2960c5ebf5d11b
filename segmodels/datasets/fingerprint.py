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
    pixels["void"] = int(histogram[VOID])
    dataset.check_pixels(dataset.split, len(dataset), pixels)
    return {"images": len(dataset), "fingerprint": combine(digests), "pixels": pixels}


def describe(kind: type[Dataset], splits: dict[str, Dataset]) -> dict[str, Any]:
    """What `prepare` records of a dataset and every later stage depends on.

    Splits of the dataset that are not here stand under `absent`.
    """
    absent = [split for split in kind.splits if split not in splits]
    return {
        "dataset": kind.name,
        "version": DATASETS,
        "classes": list(kind.class_names),
        **({"absent": absent} if absent else {}),
        "splits": {split: describe_split(dataset) for split, dataset in splits.items()},
    }


def check_expected(entry: DatasetEntry, found: dict[str, Any]) -> list[str]:
    """Compare with the content that `params/datasets.yaml` promises.

    Returns:
        what is odd and allowed: splits with another known number of images.

    Raises:
        SegmodelsError: a split has other images or other pixels.
    """
    notes = []
    for split, expected in entry.splits.items():
        if split in found.get("absent", ()):
            continue
        if split not in found["splits"]:
            raise SegmodelsError(
                f"params/datasets.yaml, dataset {entry.name!r}: "
                f"{UnknownNameError('split', split, found['splits'])}"
            )
        actual = found["splits"][split]
        notes += check_number(entry, split, actual["images"])
        if actual["fingerprint"] != expected.get("fingerprint", actual["fingerprint"]):
            raise _other(entry, split, "fingerprint", actual["fingerprint"])
    return notes


def check_number(entry: DatasetEntry, split: str, found: int) -> list[str]:
    """Compare a number of images with the official one.

    Returns:
        a note if it is another number that is known and explained.

    Raises:
        SegmodelsError: it is any other number.
    """
    expected = entry.splits.get(split, {})
    if found == expected.get("images", found):
        return []
    if reason := expected.get("also", {}).get(found):
        return [f"{split} has {found} images, not {expected['images']}: {reason}"]
    raise _other(entry, split, "images", found)


def _other(entry: DatasetEntry, split: str, field: str, found: object) -> SegmodelsError:
    return SegmodelsError(
        f"dataset {entry.name!r}, split {split!r}: {field} is {found}, params/datasets.yaml "
        f"expects {entry.splits[split][field]}. The archive is not the one the numbers were "
        f"measured on, or files were added or lost."
    )
