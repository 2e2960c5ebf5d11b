"""Glass blur: neighbours copied over each other between two normal filters."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import Corruption

Places = npt.NDArray[np.int32]


class Glass(NamedTuple):
    """Parameters of glass blur.

    Attributes:
        sigma: of the filters.
        reach: farthest neighbour.
        passes: over the image.
        loses: levels that the filters lower by one, see `filters.truncated_as`.
    """

    sigma: float
    reach: int
    passes: int
    loses: int = 0


#: int8 (passes, H - 2 reach, W - 2 reach, 2): from how many columns to the right (first) and rows
#: below (second) each pixel is copied, -reach..reach-1; [0, 0] belongs to row and column reach + 1.
Shifts = npt.NDArray[np.int8]


def glass_blur(image: Pixels, level: Glass, shifts: Shifts) -> Pixels:
    """Filter, truncate, copy neighbours over each other, filter again."""
    import cv2

    pixels = filters.gaussian_of(image, level.sigma, level.loses)
    packed = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)).reshape(*image.shape[:2], 4)
    for once in shifts:
        packed = copied(packed.view(np.uint32)[..., 0], level.reach, once)[..., None].view(np.uint8)
    mixed: Pixels = np.asarray(cv2.cvtColor(packed, cv2.COLOR_RGBA2RGB))
    return filters.gaussian_of(mixed.reshape(image.shape), level.sigma, level.loses)


def copied(pixels: npt.NDArray[Any], reach: int, shifts: Shifts) -> npt.NDArray[Any]:
    """Each pixel replaced by a neighbour, from the last row up and from the last column left.

    A neighbour that was replaced before is taken as it is by then, so that copies form chains:
    what ends up at a place comes from the end of its chain. Along a chain places only increase.

    Args:
        pixels: (H, W) of any type.
        reach: farthest neighbour.
        shifts: of one pass.
    """
    height, width = pixels.shape
    inside = slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1)
    sources = np.arange(height * width, dtype=np.int32)
    places = sources.reshape(height, width)[inside]
    if not places.size:
        return pixels
    places += np.take(_steps(width), np.ascontiguousarray(shifts).view(np.uint16)[..., 0])
    return np.take(pixels.ravel(), _ends(sources)).reshape(pixels.shape)


def _ends(sources: Places) -> Places:
    """Where the chain of each place ends: it goes on as long as the places increase."""
    unfinished = np.flatnonzero(sources > np.arange(len(sources), dtype=np.int32))
    here, ends = np.take(sources, unfinished), sources.copy()
    while len(unfinished):
        there = np.take(sources, here)
        ends[unfinished] = there
        on = there > here
        unfinished, here = np.compress(on, unfinished), np.compress(on, there)
    return ends


@lru_cache(maxsize=2)
def _steps(width: int) -> Places:
    """How far places are apart, by the two bytes of a shift read as one number."""
    both = np.arange(1 << 16, dtype=np.uint16)[:, None].view(np.int8)
    return both[:, 0] + both[:, 1].astype(np.int32) * np.int32(width)


def _shifts(image: Pixels, level: Glass, random: np.random.Generator) -> Shifts:
    reach, (height, width) = level.reach, image.shape[:2]
    sides = (max(0, height - 2 * reach), max(0, width - 2 * reach))
    chance = draws.bits(random, (level.passes, *sides))
    return np.take(_pairs(reach), chance)[..., None].view(np.int8)


@lru_cache(maxsize=5)
def _pairs(reach: int) -> npt.NDArray[np.uint16]:
    """The two bytes of a shift, read as one number, by 16 random bits."""
    drawn = np.arange(1 << 16, dtype=np.int64) * (2 * reach) ** 2 >> 16
    pair = np.stack([drawn % (2 * reach), drawn // (2 * reach)], axis=1) - reach
    return pair.astype(np.int8).view(np.uint16)[:, 0]


GLASS = Corruption(
    (
        Glass(0.7, 1, 2),
        Glass(0.9, 2, 1, 0x3000480020004100000040000C1000010200024002009004002001080040200),
        Glass(1.0, 2, 3, 0x20000800000000002E000200000000000000000080000000000000000000000),
        Glass(1.1, 3, 2, 0x8B681F104DF0477107100AD00DB008401874BCBD340C34084E676260AB881048),
        Glass(1.5, 4, 2, 0x400000000400000001000000000000020000800040000000000200000000000),
    ),
    glass_blur,
    _shifts,
)
