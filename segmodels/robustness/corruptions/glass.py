"""Glass blur: neighbours copied over each other between two normal filters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import Corruption, truncated

Places = npt.NDArray[np.int32]


class Glass(NamedTuple):
    """Parameters: sigma of the filters, farthest neighbour, passes over the image."""

    sigma: float
    reach: int
    passes: int


#: int8 (passes, H - 2 reach, W - 2 reach, 2): from how many columns to the right (first) and rows
#: below (second) each pixel is copied, -reach..reach-1; [0, 0] belongs to row and column reach + 1.
Shifts = npt.NDArray[np.int8]


def glass_blur(image: Pixels, level: Glass, shifts: Shifts) -> Pixels:
    """Filter, truncate, copy neighbours over each other, filter again."""
    pixels = truncated(filters.gaussian(image.astype(np.float32), level.sigma).reshape(image.shape))
    for once in shifts:
        pixels = _copied(pixels, level.reach, once)
    return truncated(filters.gaussian(pixels.astype(np.float32), level.sigma).reshape(image.shape))


def _copied(pixels: Pixels, reach: int, shifts: Shifts) -> Pixels:
    """Each pixel replaced by a neighbour, from the last row up and from the last column left.

    A neighbour that was replaced before is taken as it is by then, so that copies form chains:
    what ends up at a place comes from the end of its chain. Along a chain places only increase.
    """
    height, width = pixels.shape[:2]
    places = np.arange(height * width, dtype=np.int32)
    inside = places.reshape(height, width)[
        reach + 1 : height - reach + 1, reach + 1 : width - reach + 1
    ]
    if not inside.size:
        return pixels
    steps = shifts[..., 1].astype(np.int32) * np.int32(width)
    steps += shifts[..., 0]
    sources = places.copy()
    sources.reshape(height, width)[
        reach + 1 : height - reach + 1, reach + 1 : width - reach + 1
    ] += steps
    return np.take(pixels.reshape(-1, 3), _ends(sources), axis=0).reshape(pixels.shape)


def _ends(sources: Places) -> Places:
    """Where the chain of each place ends: it goes on as long as the places increase."""
    places = np.arange(len(sources), dtype=np.int32)
    open_ = np.flatnonzero(sources > places).astype(np.int32)
    ends = sources.copy()
    here = sources[open_]
    while len(open_):
        there = np.take(sources, here)
        ends[open_] = there
        on = there > here
        open_, here = open_[on], there[on]
    return ends


def _shifts(image: Pixels, level: Glass, random: np.random.Generator) -> Shifts:
    reach, (height, width) = level.reach, image.shape[:2]
    sides = (max(0, height - 2 * reach), max(0, width - 2 * reach))
    chance = draws.bits(random, (level.passes, *sides, 2))
    shifts = chance % np.uint16(2 * reach)
    return shifts.astype(np.int8) - np.int8(reach)


GLASS = Corruption(
    (Glass(0.7, 1, 2), Glass(0.9, 2, 1), Glass(1.0, 2, 3), Glass(1.1, 3, 2), Glass(1.5, 4, 2)),
    glass_blur,
    _shifts,
)
