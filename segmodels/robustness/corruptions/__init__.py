"""Image corruptions by name. To add one: a function in its family's file, and one line here."""

from __future__ import annotations

import zlib

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.robustness.corruptions import blur, digital, noise, weather
from segmodels.robustness.corruptions.base import Corrupt

CORRUPTIONS: dict[str, Corrupt] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "jpeg_compression": digital.jpeg_compression,
    "pixelate": digital.pixelate,
}


def corrupt(image: Pixels, name: str, severity: int, seed: int = 0, key: str = "") -> Pixels:
    """Corrupt one image.

    Args:
        image: uint8 (H, W, 3), RGB; not changed.
        name: a key of `CORRUPTIONS`.
        severity: 1 (mild) to 5.
        seed: of the random corruptions.
        key: usually the image's name; images with different keys get different noise.

    Returns:
        uint8 (H, W, 3), the same for the same arguments.

    Raises:
        UnknownNameError: no such corruption; the message suggests the nearest.
        SegmodelsError: severity outside 1..5, or not a uint8 RGB image.
    """
    if name not in CORRUPTIONS:
        raise UnknownNameError("corruption", name, CORRUPTIONS)
    if severity not in range(1, 6):
        raise SegmodelsError(f"severity of {name!r} is 1 to 5, not {severity}.")
    if seed < 0:
        raise SegmodelsError(f"seed of {name!r} is 0 or more, not {seed}.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SegmodelsError(f"corrupt needs uint8 (H, W, 3), not {image.dtype} {image.shape}.")
    words = [zlib.crc32(text.encode()) for text in (name, key)]
    return CORRUPTIONS[name](image, severity, np.random.default_rng([seed, severity, *words]))
