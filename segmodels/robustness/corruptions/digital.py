"""Digital corruptions, with the parameters of ImageNet-C (Hendrycks and Dietterich, ICLR 2019)."""

from __future__ import annotations

import io

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions.base import to_pixels, to_unit

_CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
_JPEG = (25, 18, 15, 10, 7)
_PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)


def contrast(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Pull every channel towards its mean."""
    del random  # nothing here is left to chance
    unit = to_unit(image)
    mean = unit.mean(axis=(0, 1), keepdims=True)
    return to_pixels((unit - mean) * _CONTRAST[severity - 1] + mean)


def jpeg_compression(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Encode and decode as JPEG at a low quality."""
    from PIL import Image  # here, as OpenCV in blur.py

    del random  # nothing here is left to chance
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", quality=_JPEG[severity - 1])
    return np.asarray(Image.open(encoded).convert("RGB"))


def pixelate(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Reduce by averaging and enlarge by repeating."""
    from PIL import Image  # here, as OpenCV in blur.py

    del random  # nothing here is left to chance
    height, width = image.shape[:2]
    factor = _PIXELATE[severity - 1]
    small = (max(1, int(width * factor)), max(1, int(height * factor)))
    reduced = Image.fromarray(image).resize(small, Image.Resampling.BOX)
    return np.asarray(reduced.resize((width, height), Image.Resampling.NEAREST))
