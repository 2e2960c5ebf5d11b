"""Elastic transform: every pixel taken from somewhere near, neighbours from alike places."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import Corruption, Reals, strips, truncated
from segmodels.robustness.corruptions.resampling import sampled

#: More than float32 loses of 255, and next to nothing.
_ROUNDING = np.float32(1e-3)


class Shifts(NamedTuple):
    """Draws, float (H, W) each, in pixels before they are filtered: to the right, and down."""

    right: Reals
    down: Reals


def elastic_transform(image: Pixels, strength: float, shifts: Shifts) -> Pixels:
    """Filtered noise of some pixels says from where each pixel is taken, bilinearly."""
    sigmas = [side * 0.01 for side in image.shape[:2]]
    right, down = (
        filters.wide_gaussian(field.astype(np.float32), sigmas) * np.float32(250 * strength)
        for field in shifts
    )
    levels, found = sampled(image.astype(np.float32), right, down), np.empty_like(image)
    for rows in strips(image):
        # Even surfaces keep their level, as in the authors' float64.
        found[rows] = truncated(levels[rows] + _ROUNDING)
    return found


def _shifts(image: Pixels, strength: float, random: np.random.Generator) -> Shifts:
    height, width = image.shape[:2]
    most = height * 0.005  # of both directions, as by the authors
    return Shifts(*(draws.uniform(random, (height, width), most) for _ in range(2)))


ELASTIC = Corruption(
    (0.05, 0.065, 0.085, 0.1, 0.12),
    elastic_transform,
    _shifts,
    {"hendrycks": "it begins with an affine map"},
)
