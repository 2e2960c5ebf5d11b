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


class Affine(NamedTuple):
    """Parameters of the first generator, in pixels: strength, sigma, and shift of three points."""

    strength: float
    sigma: float
    most: float


class Points(NamedTuple):
    """Draws: how far three points are moved, float (3, 2) right and down, and fields in -1..1."""

    moves: Reals
    shifts: Shifts


def affine_and_elastic(image: Pixels, level: Affine, points: Points) -> Pixels:
    """Three points moved, the image with them, and then pixels taken from somewhere near."""
    import cv2

    height, width = image.shape[:2]
    # The authors take the height for the first coordinate; their images are square.
    middle, reach = np.array([height // 2, width // 2]), min(height, width) // 3
    before = (middle + reach * np.array([[1, 1], [1, -1], [-1, -1]])).astype(np.float32)
    matrix = cv2.getAffineTransform(before, before + points.moves.astype(np.float32))
    moved = cv2.warpAffine(
        image.astype(np.float32), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    right, down = (
        filters.wide_gaussian(field.astype(np.float32), (level.sigma, level.sigma))
        * np.float32(level.strength)
        for field in points.shifts
    )
    return truncated(sampled(np.asarray(moved).reshape(image.shape), right, down) + _ROUNDING)


def _points(image: Pixels, level: Affine, random: np.random.Generator) -> Points:
    moves = draws.uniform(random, (3, 2), level.most)
    fields = (draws.uniform(random, image.shape[:2], 1.0) for _ in range(2))
    return Points(moves, Shifts(*fields))


_SIDE = 244  # of the images there, by a slip of the pen for 224

ELASTIC = Corruption(
    (0.05, 0.065, 0.085, 0.1, 0.12),
    elastic_transform,
    _shifts,
    {
        "hendrycks": Corruption(
            tuple(
                Affine(_SIDE * strength, _SIDE * sigma, _SIDE * most)
                for strength, sigma, most in (
                    (2, 0.7, 0.1),
                    (2, 0.08, 0.2),
                    (0.05, 0.01, 0.02),
                    (0.07, 0.01, 0.02),
                    (0.12, 0.01, 0.02),
                )
            ),
            affine_and_elastic,
            _points,
        )
    },
)
