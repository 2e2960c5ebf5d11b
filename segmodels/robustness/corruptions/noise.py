"""Noise, with the parameters of ImageNet-C (Hendrycks and Dietterich, ICLR 2019)."""

from __future__ import annotations

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions.base import to_pixels, to_unit

_GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)
_SHOT = (60, 25, 12, 5, 3)
_IMPULSE = (0.03, 0.06, 0.09, 0.17, 0.27)
_SPECKLE = (0.15, 0.2, 0.35, 0.45, 0.6)


def gaussian_noise(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Add normal noise; the standard deviation is given on [0, 1]."""
    noise = random.standard_normal(image.shape) * _GAUSSIAN[severity - 1]
    return to_pixels(to_unit(image) + noise)


def shot_noise(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Poisson-distributed photon counts."""
    rate = _SHOT[severity - 1]
    return to_pixels(random.poisson(to_unit(image) * rate) / rate)


def impulse_noise(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Salt and pepper in equal parts, each channel by itself."""
    hit = random.random(image.shape) < _IMPULSE[severity - 1]
    salt = random.random(image.shape) < 0.5
    return np.where(hit, np.where(salt, 255, 0), image).astype(np.uint8)


def speckle_noise(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Normal noise proportional to the grey level."""
    unit = to_unit(image)
    return to_pixels(unit + unit * random.standard_normal(image.shape) * _SPECKLE[severity - 1])
