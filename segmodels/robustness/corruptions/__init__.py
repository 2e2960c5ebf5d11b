"""Image corruptions by name. To add one: a function in its family's file, and one line here."""

from __future__ import annotations

import zlib

import numpy as np

from segmodels.core.arguments import rgb, whole, words
from segmodels.core.arrays import Pixels
from segmodels.errors import UnknownNameError
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
        image: uint8 (H, W, 3), RGB, or an RGB image of Pillow; not changed.
        name: a key of `CORRUPTIONS`.
        severity: 1 (mild) to 5.
        seed: of the random corruptions.
        key: usually the image's name; images with different keys get different noise.

    Returns:
        uint8 (H, W, 3), the same for the same arguments.

    Raises:
        UnknownNameError: no such corruption; the message suggests the nearest.
        SegmodelsError: severity outside 1..5, not a uint8 RGB image, or another wrong argument.
    """
    image, name, key = rgb("image", image), words("name", name), words("key", key)
    if name not in CORRUPTIONS:
        raise UnknownNameError("corruption", name, CORRUPTIONS)
    severity, seed = whole("severity", severity, 1, 5), whole("seed", seed, 0)
    texts = [zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in (name, key)]
    return CORRUPTIONS[name](image, severity, np.random.default_rng([seed, severity, *texts]))
