"""Snow: enlarged noise, blurred along a direction, over a paler image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws, filters
from segmodels.robustness.corruptions.base import Corruption, Reals, strips, to_pixels, truncated
from segmodels.robustness.corruptions.filters import motion_by_imagemagick
from segmodels.robustness.corruptions.resampling import enlarged_in_float64


class Snow(NamedTuple):
    """Parameters: noise, its enlargement, the smallest value that is a flake, blur, image kept."""

    mean: float
    std: float
    zoom: float
    least: float
    radius: int
    sigma: float
    kept: float


class Flakes(NamedTuple):
    """Draws: float (H, W), and degrees."""

    layer: Reals
    angle: float


def snow(image: Pixels, level: Snow, flakes: Flakes) -> Pixels:
    """Flakes and the same flakes turned by 180 degrees, on an image made paler."""
    return _covered(image, level, _fallen(level, flakes))


def snow_by_imagemagick(image: Pixels, level: Snow, flakes: Flakes) -> Pixels:
    """The same with flakes of 8 bits, of the middle of what was enlarged, blurred otherwise."""
    height, width = image.shape[:2]
    large = enlarged_in_float64(flakes.layer, level.zoom)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    middle, layer = large[top:, left:], np.empty((height, width), np.uint8)
    for rows in strips(layer):
        alone = middle[rows, :width]
        layer[rows] = to_pixels(np.where(alone < level.least, 0, alone))
    blurred = motion_by_imagemagick(layer, level.radius, level.sigma, flakes.angle)
    return _covered(image, level, blurred)


def _covered(image: Pixels, level: Snow, flakes: Pixels) -> Pixels:
    """An image under a layer of flakes, uint8, that is as large or larger."""
    import cv2

    height, width = image.shape[:2]
    layer = flakes[:height, :width]
    found = np.empty_like(image)
    for rows in strips(image):
        levels = image[rows].astype(np.float32)
        grey = np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)).reshape(levels.shape[:2])
        pale = np.maximum(levels, grey[..., None] * 1.5 + np.float32(127.5))
        fallen = layer[rows].astype(np.float32)
        fallen += layer[height - rows.stop : height - rows.start][::-1, ::-1]
        levels *= np.float32(level.kept)
        levels += pale * np.float32(1 - level.kept)
        levels += fallen[..., None]
        found[rows] = truncated(levels)
    return found


def _fallen(level: Snow, flakes: Flakes) -> Pixels:
    """The layer of flakes, uint8, as large as the image or by some pixels larger."""
    # What is a flake is decided by its last bits.
    large = enlarged_in_float64(flakes.layer, level.zoom)
    flakes_alone = np.empty(large.shape, np.float32)
    for rows in strips(large):
        flakes_alone[rows] = np.where(large[rows] < level.least, 0, np.minimum(large[rows], 1))
    blurred = filters.motion(flakes_alone, level.radius, level.sigma, flakes.angle)
    return np.asarray(np.rint(blurred * 255), dtype=np.uint8)


def _flakes(image: Pixels, level: Snow, random: np.random.Generator) -> Flakes:
    layer = draws.normal(random, image.shape[:2], level.mean, level.std)
    return Flakes(layer, draws.angle(random, -135, -45))


_LEVELS = (
    Snow(0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    Snow(0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    Snow(0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    Snow(0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    Snow(0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)

SNOW = Corruption(
    _LEVELS,
    snow,
    _flakes,
    variants={"hendrycks": Corruption(_LEVELS, snow_by_imagemagick, _flakes)},
)
