"""Resizing for a crop: the very pixels of a resize of the whole image, without making it.

OpenCV computes a pixel from the scale and its place alone, whatever lies below and to the right.
So a crop is cut from a resize that ends with it. What lies above and to the left has to be
resized along: a resize that starts at the crop would start at a fraction of a pixel, which
OpenCV cannot. Its 11-bit arithmetic done again in NumPy for the crop alone takes longer, but
for the far corner of images enlarged twice (`benchmarks/transforms.py` shows what is saved).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels
from segmodels.training.augmentation.box import Box, PixelSize

# Source pixels beyond the last one that is looked at, so that the cut changes no pixel.
_MARGIN = 2


def resized_part(image: Pixels, size: PixelSize, box: Box) -> Pixels:
    """The pixels of a box in an image that OpenCV resizes (bilinear, no antialiasing).

    Args:
        image: uint8 (H, W, 3).
        size: height and width of the whole image after the resize.
        box: what is wanted of it.

    Returns:
        uint8 (box.height, box.width, 3), bit-equal to the box in `cv2.resize` of the whole;
        it may be a view.
    """
    before = (image.shape[0], image.shape[1])
    if size != before:
        image = _resized_above(image, before, size, box)
    return image[box.rows, box.columns]


def _resized_above(image: Pixels, before: PixelSize, size: PixelSize, box: Box) -> Pixels:
    """The resized image down to the last row and column of the box, or somewhat further."""
    down, right = size[0] / before[0], size[1] / before[1]
    height = min(before[0], int(box.rows.stop / down) + _MARGIN)
    width = min(before[1], int(box.columns.stop / right) + _MARGIN)
    if (round(height * down), round(width * right)) == (height, width):
        height, width = before  # OpenCV copies what keeps its size, whatever the scale
    if (height, width) == before:
        return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR))
    part = image[:height, :width]
    found = cv2.resize(part, None, fx=right, fy=down, interpolation=cv2.INTER_LINEAR)
    return np.asarray(found)


@lru_cache(maxsize=64)
def nearest(before: int, after: int) -> npt.NDArray[np.intp]:
    """(after,): which of `before` pixels in a row is each of `after`, by OpenCV's nearest."""
    if before == after:
        return np.arange(before)
    pixels = np.arange(before, dtype=np.float32)[None]  # exact: no side reaches 2**24
    found = cv2.resize(pixels, (after, 1), interpolation=cv2.INTER_NEAREST)
    return np.asarray(found[0], dtype=np.intp)
