"""Elastic transform: every pixel taken from somewhere near, neighbours from alike places."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import Corruption, Reals, truncated

#: More than float32 loses of 255, and next to nothing.
_ROUNDING = np.float32(1e-3)


class Shifts(NamedTuple):
    """Draws, float (H, W) each, in pixels before they are filtered: to the right, and down."""

    right: Reals
    down: Reals


def elastic_transform(image: Pixels, strength: float, shifts: Shifts) -> Pixels:
    """Filtered noise of some pixels says from where each pixel is taken, bilinearly."""
    sigmas = [side * 0.01 for side in image.shape[:2]]
    right, down = (_smooth(field, sigmas) * np.float32(250 * strength) for field in shifts)
    found = sampled(image.astype(np.float32), right, down)
    found += _ROUNDING  # even surfaces keep their level, as in the authors' float64
    return truncated(found)


def _smooth(field: Reals, sigmas: list[float]) -> Reals:
    """Normal filter of (H, W), cut off at three sigma, edges mirrored."""
    import cv2

    down, across = (filters.gaussian_weights(one, 3).astype(np.float32) for one in sigmas)
    smooth = cv2.sepFilter2D(
        field.astype(np.float32), cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(smooth).reshape(field.shape)


def sampled(levels: Reals, right: Reals, down: Reals) -> Reals:
    """An image at places between pixels, bilinearly; beyond the edges it is mirrored.

    Args:
        levels: float32 (H, W, C).
        right: float32 (H, W), from how many pixels to the right each one is taken.
        down: float32 (H, W), from how many below.
    """
    import torch
    from torch.nn.functional import grid_sample

    height, width = right.shape
    places = np.empty((1, height, width, 2), np.float32)
    # From -1 at the outer edge of the first pixel to 1 at that of the last.
    np.multiply(right, np.float32(2 / width), out=places[0, ..., 0])
    np.multiply(down, np.float32(2 / height), out=places[0, ..., 1])
    places[0, ..., 0] += ((2 * np.arange(width) + 1) / width - 1).astype(np.float32)
    places[0, ..., 1] += ((2 * np.arange(height) + 1) / height - 1).astype(np.float32)[:, None]
    batch = torch.from_numpy(levels).permute(2, 0, 1)[None]
    found = grid_sample(
        batch, torch.from_numpy(places), padding_mode="reflection", align_corners=False
    )
    return np.asarray(found[0].permute(1, 2, 0).numpy())


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
