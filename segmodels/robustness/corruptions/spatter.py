"""Spatter: drops of water, or of mud."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import Corruption, Reals, strips, truncated

_WATER = np.array([175, 238, 238], np.float32)
_MUD = np.array([63, 42, 20], np.float32)
_RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


class Spatter(NamedTuple):
    """Parameters: noise and sigma of its filter, smallest value of a drop, strength or softness."""

    mean: float
    std: float
    sigma: float
    least: float
    strength: float
    mud: bool


def spatter(image: Pixels, level: Spatter, layer: Reals) -> Pixels:
    """Drops where filtered noise is high.

    Args:
        image: uint8 (H, W, 3).
        level: parameters of a severity.
        layer: draws, float (H, W).
    """
    liquid = filters.gaussian(layer.astype(np.float32), level.sigma)
    return _muddy(image, _mud(liquid, level)) if level.mud else _wet(image, _water(liquid, level))


def _wet(image: Pixels, light: Reals) -> Pixels:
    """Light on top; as grey levels are whole, it is truncated before it is added."""
    import cv2

    planes = [(light * amount).astype(np.uint8) for amount in _WATER]
    found: Pixels = np.asarray(cv2.add(image, np.asarray(cv2.merge(planes)).reshape(image.shape)))
    return found.reshape(image.shape)


def _muddy(image: Pixels, cover: Reals) -> Pixels:
    found = np.empty_like(image)
    for rows in strips(image):
        part = cover[rows][..., None]
        found[rows] = truncated(image[rows] * (1 - part) + part * _MUD)
    return found


def _water(liquid: Reals, level: Spatter) -> Reals:
    """How much light drops add, float32 (H, W), at most `strength`: strong along their rims."""
    import cv2

    drops = (np.where(liquid < level.least, 0, liquid) * 255).astype(np.uint8)
    rims = np.asarray(cv2.Canny(drops, 50, 150)).reshape(drops.shape)
    far = np.asarray(cv2.distanceTransform(255 - rims, cv2.DIST_L2, 5)).reshape(drops.shape)
    near = _mean3(np.minimum(far, np.float32(20))).astype(np.uint8)
    even = np.asarray(cv2.equalizeHist(near)).reshape(drops.shape)
    relief = np.asarray(cv2.filter2D(even, cv2.CV_8U, _RELIEF)).reshape(drops.shape)
    light = drops * _mean3(relief).astype(np.float32)
    most = light.max()
    return light * np.float32(level.strength / most) if most > 0 else light


def _mean3(values: Reals) -> Reals:
    import cv2

    return np.asarray(cv2.blur(values, (3, 3))).reshape(values.shape)


def _mud(liquid: Reals, level: Spatter) -> Reals:
    """How much of a pixel mud covers, float32 (H, W): 0, or 0.8 to 1."""
    covered = (liquid > level.least).astype(np.float32)
    soft = filters.gaussian(covered, level.strength)
    return np.where(soft < np.float32(0.8), np.float32(0), soft)


def _layer(image: Pixels, level: Spatter, random: np.random.Generator) -> Reals:
    return draws.normal(random, image.shape[:2], level.mean, level.std)


SPATTER = Corruption(
    (
        Spatter(0.65, 0.3, 4, 0.69, 0.6, False),
        Spatter(0.65, 0.3, 3, 0.68, 0.6, False),
        Spatter(0.65, 0.3, 2, 0.68, 0.5, False),
        Spatter(0.65, 0.3, 1, 0.65, 1.5, True),
        Spatter(0.67, 0.4, 1, 0.65, 1.5, True),
    ),
    spatter,
    _layer,
)
