"""Filters that several corruptions are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from segmodels.core.arrays import Floats, Pixels
from segmodels.robustness.corruptions.base import Reals, strips, truncated

_COLUMNS = 64


def gaussian_weights(sigma: float, truncate: float = 4.0) -> Reals:
    """Weights of a normal filter in float64, cut off at `truncate` sigma: (2 radius + 1,)."""
    radius = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def gaussian(values: Reals, sigma: float) -> Reals:
    """Normal filter of float (H, W) or (H, W, C), cut off at four sigma, edges repeated."""
    import cv2

    weights = gaussian_weights(sigma).astype(values.dtype)
    found = cv2.sepFilter2D(values, -1, weights, weights, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(found).reshape(values.shape)


def gaussian_of(image: Pixels, sigma: float, loses: int) -> Pixels:
    """The same of uint8 (H, W, C), truncated to uint8; strip by strip in a processor's cache.

    Args:
        image: uint8.
        sigma: in pixels.
        loses: see `truncated_as`.
    """
    reach, found = len(gaussian_weights(sigma)) // 2, np.empty_like(image)
    last = len(image) - 1
    # A float32 has no room for products of the outermost weights of the small sigmas.
    kind, least = (np.float64, 1e-9) if sigma < 1 else (np.float32, 2e-4)
    for rows in strips(image, at_least=4 * reach):
        near = np.clip(np.arange(rows.start - reach, rows.stop + reach), 0, last)
        levels = gaussian(image[near].astype(kind), sigma)
        found[rows] = truncated_as(levels[reach : len(near) - reach], loses, least)
    return found


def truncated_as(levels: Reals, loses: int, least: float) -> Pixels:
    """Grey levels to uint8, truncated as if they had been added up in the authors' float64.

    Args:
        levels: float, 0 to 255.
        loses: bit n is set where an even surface of level n comes out as n - 1 there. Weights of
            a filter sum to 1 but for the last bits; which levels lose one is given, since these
            bits depend on a machine's exponential function.
        least: more than what rounding makes of a level here.
    """
    import cv2

    nudges = (signs_of(loses) * least).astype(levels.dtype)
    near = np.rint(levels).astype(np.uint8)
    return truncated(levels + np.asarray(cv2.LUT(near, nudges)).reshape(levels.shape))


@lru_cache(maxsize=16)
def signs_of(loses: int) -> Floats:
    """To which side of a whole level the authors' sum lies: -1 below, 1 above; (1, 256)."""
    signs = [-1 if loses >> level & 1 else 1 for level in range(256)]
    return np.array([signs], np.float64)


def wide_gaussian(field: Reals, sigmas: Sequence[float]) -> Reals:
    """Normal filter of float32 (H, W), cut off at three sigma, edges mirrored.

    Args:
        field: float32 (H, W).
        sigmas: along columns, and along rows.
    """
    import cv2

    for sigma in sigmas:
        smooth = cv2.transpose(_down(field, gaussian_weights(sigma, 3)))
        field = np.asarray(smooth).reshape(field.shape[::-1])
    return field


def _down(field: Reals, weights: Reals) -> Reals:
    """A filter along columns; some columns at a time, so that what it adds up stays in cache."""
    import cv2

    found, down, one = np.empty_like(field), weights.astype(np.float32), np.ones(1, np.float32)
    for first in range(0, field.shape[1], _COLUMNS):
        part = np.ascontiguousarray(field[:, first : first + _COLUMNS])
        smooth = cv2.sepFilter2D(part, cv2.CV_32F, one, down, borderType=cv2.BORDER_REFLECT)
        found[:, first : first + _COLUMNS] = np.asarray(smooth).reshape(part.shape)
    return found


def motion_weights(radius: int, sigma: float) -> Reals:
    """Half a normal curve, from the pixel itself on: (2 radius + 1,), float64."""
    taps = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    return np.asarray(taps / taps.sum())


def motion_shifts(
    shape: tuple[int, int] | None, radius: int, sigma: float, angle: float
) -> Iterator[tuple[int, int, float]]:
    """Rows, columns and weight of each copy that a motion blur adds up.

    Whole pixels, halves rounded down.

    Args:
        shape: height and width of an image; copies that would leave it are lost with their weight,
            as in imagecorruptions. None: none is lost.
        radius: half the number of copies.
        sigma: of the weights, in pixels along the direction.
        angle: of the direction in degrees; 0 takes from the right, 90 from below.
    """
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for i, weight in enumerate(motion_weights(radius, sigma)):
        down, right = math.ceil(i * sine - 0.5), math.ceil(i * cosine - 0.5)
        if shape and (abs(down) >= shape[0] or abs(right) >= shape[1]):
            return
        yield down, right, float(weight)


#: ImageMagick keeps 16 bits of a value, rounded, and cuts them to 8 in a file: of 257 steps that a
#: grey level has there, the last half one is of the next level.
HALF_A_STEP = 0.5 / 257


def motion_by_imagemagick(levels: Pixels, radius: int, sigma: float, angle: float) -> Pixels:
    """Motion blur of uint8 (H, W) or (H, W, C) as ImageMagick 6 with 16 bits gives it."""
    blurred = motion(levels.astype(np.float32), radius, sigma, angle, lossy=False)
    found = np.empty_like(levels)
    for rows in strips(levels):
        found[rows] = truncated(blurred[rows] + np.float32(HALF_A_STEP))
    return found


def motion(values: Reals, radius: int, sigma: float, angle: float, *, lossy: bool = True) -> Reals:
    """Motion blur of float32 (H, W) or (H, W, C), edges repeated.

    Args:
        values: of the image.
        radius: as of `motion_shifts`.
        sigma: likewise.
        angle: likewise.
        lossy: whether copies that leave the image are lost.
    """
    import cv2

    height, width = values.shape[:2]
    shifts = list(motion_shifts((height, width) if lossy else None, radius, sigma, angle))
    downs, rights = [down for down, _, _ in shifts], [right for _, right, _ in shifts]
    top, left = -min(0, *downs, 0), -min(0, *rights, 0)
    padded = cv2.copyMakeBorder(
        values, top, max(0, *downs, 0), left, max(0, *rights, 0), cv2.BORDER_REPLICATE
    )
    found = np.empty_like(values)
    rows = max(1, (1 << 17) // (values.size // height))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        total = np.zeros_like(found[first:last])
        for down, right, weight in shifts:
            part = padded[top + first + down : top + last + down, left + right :][:, :width]
            total = cv2.scaleAdd(part, weight, total, dst=total)
        found[first:last] = total.reshape(found[first:last].shape)
    return found
