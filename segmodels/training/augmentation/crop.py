"""Where the crop lies: at a place that one category does not fill, if one is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import VOID, Pixels
from segmodels.training.augmentation.box import Box, PixelSize
from segmodels.training.augmentation.scale import nearest

# OpenCV hands counts over as float32, in which every integer up to 2**24 is exact.
_EXACT = 2**24


def boxes(
    size: PixelSize, crop: PixelSize, corners: Iterable[tuple[float, float]]
) -> Iterator[Box]:
    """The box of a crop for every corner.

    Args:
        size: height and width of the image.
        crop: of the crop; where the image is smaller, so is the box.
        corners: two numbers in [0, 1) each: which of the possible tops and lefts.
    """
    height, width = min(size[0], crop[0]), min(size[1], crop[1])
    tops, lefts = size[0] - height + 1, size[1] - width + 1
    for down, right in corners:
        yield Box(int(down * tops), int(right * lefts), height, width)


def choose(
    label: Pixels, size: PixelSize, tries: Iterator[Box], limit: float
) -> tuple[Box, Pixels]:
    """The first box that is varied enough, else the last, with its labels.

    Args:
        label: uint8 (H, W), before the resize.
        size: height and width after it.
        tries: boxes in the resized image; the last one is taken unseen.
        limit: share of the labelled pixels that no category may reach; 1 takes the first box.

    Returns:
        the box, and its labels as nearest neighbours, uint8 of the box's size.
    """
    rows, columns = nearest(label.shape[0], size[0]), nearest(label.shape[1], size[1])
    box = next(tries)
    found = _cut(label, rows[box.rows], columns[box.columns])
    if limit >= 1 or box.size == size:  # nothing to choose, or nothing to choose from
        return box, found
    for following in tries:
        if is_varied(found, limit):
            break
        box = following
        found = _cut(label, rows[box.rows], columns[box.columns])
    return box, found


def is_varied(label: Pixels, limit: float) -> bool:
    """Whether two or more categories are there and each has less than `limit` of the labelled
    pixels; void is no category.
    """
    counts = _counts(label)
    counts[VOID] = 0
    return bool((counts > 0).sum() > 1 and counts.max() / counts.sum() < limit)


def _counts(label: Pixels) -> npt.NDArray[np.int64]:
    """(256,): how many pixels have each value; without sorting them, as `np.unique` would."""
    if label.size > _EXACT:
        return np.bincount(label.ravel(), minlength=256)
    return cv2.calcHist([label], [0], None, [256], [0, 256]).ravel().astype(np.int64)


def _cut(label: Pixels, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> Pixels:
    """Labels at rows and columns, both ascending."""
    seen = label[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rows, columns = rows - rows[0], columns - columns[0]
    if len(rows) < len(seen):  # leaving rows out first makes less work for the columns
        return seen[rows].take(columns, axis=1)
    return seen.take(columns, axis=1).take(rows, axis=0)
