"""The identity of a dataset: a digest of its decoded content, whatever packed the bytes."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from segmodels.assets.entries import DatasetEntry, Split
from segmodels.core.arrays import Pixels
from segmodels.datasets.reading.base import Sample
from segmodels.errors import SegmodelsError, UnknownNameError


def sample_digest(sample: Sample) -> str:
    """Hex SHA-256 over shape and pixels of image and label."""
    return digests(sample)[1]


def digests(sample: Sample) -> tuple[str, str]:
    """Hex SHA-256 over shape and pixels: of the image alone, and of image and label."""
    state = hashlib.sha256()
    _add(state, sample.image)
    image = state.hexdigest()
    _add(state, sample.label)
    return image, state.hexdigest()


def _add(state: hashlib._Hash, pixels: Pixels) -> None:
    state.update(repr(pixels.shape).encode())
    state.update(np.ascontiguousarray(pixels).data)


def check_expected(entry: DatasetEntry, found: dict[str, Any]) -> list[str]:
    """Compare with the content that `params/datasets.yaml` promises.

    Returns:
        what is odd and allowed: splits with another known number of images, or with damaged
        ones that are left out and leave nothing to compare the fingerprint with.

    Raises:
        SegmodelsError: a split has other images or other pixels.
    """
    notes = []
    for split, expected in entry.splits.items():
        if split in found.get("absent", ()):
            continue
        if split not in found["splits"]:
            raise SegmodelsError(
                f"{entry.file}, dataset {entry.name!r}: "
                f"{UnknownNameError('split', split, found['splits'])}"
            )
        actual = found["splits"][split]
        skipped = len(actual.get("skipped", ()))
        notes += check_number(entry, split, actual["images"] + skipped)
        if skipped:
            notes.append(f"{split} lacks {skipped} images that cannot be read")
        elif expected.fingerprint not in (None, actual["fingerprint"]):
            raise _other(entry, split, "fingerprint", actual["fingerprint"])
    return notes


def check_number(entry: DatasetEntry, split: str, found: int) -> list[str]:
    """Compare a number of images with the official one.

    Returns:
        a note if it is another number that is known and explained.

    Raises:
        SegmodelsError: it is any other number.
    """
    expected = entry.splits.get(split, Split())
    if expected.images in (None, found):
        return []
    if reason := expected.also.get(found):
        return [f"{split} has {found} images, not {expected.images}: {reason}"]
    raise _other(entry, split, "images", found)


def _other(entry: DatasetEntry, split: str, field: str, found: object) -> SegmodelsError:
    other = "The files are not those" if entry.own else "The archive is not the one"
    return SegmodelsError(
        f"dataset {entry.name!r}, split {split!r}: {field} is {found}, {entry.file} "
        f"expects {getattr(entry.splits[split], field)}. {other} the numbers "
        f"were measured on, or files were added or lost."
    )
