"""Value and saturation of HSV, with the rounding of the authors' float64 before they truncate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions.base import Corruption, Reals, looked_up, strips, to_pixels

_UNIT = np.arange(256) / 255.0


@lru_cache(maxsize=5)
def _brighter(shift: float) -> Pixels:
    """Grey level of a channel by the largest of its pixel and by its own: uint8 (256, 256)."""
    value, channel = _UNIT[:, None], _UNIT[None]
    saturation = (value - channel) / np.maximum(value, _UNIT[1])
    raised = np.clip(value + shift, 0, 1)
    return to_pixels(np.where(channel < value, raised * (1 - saturation), raised))


def brightness(image: Pixels, shift: float, _: None) -> Pixels:
    """Raise the value by `shift`, to 1 at most; hue and saturation stay, black becomes grey."""
    largest = image.max(axis=2, keepdims=True)
    return looked_up(_brighter(shift), np.broadcast_to(largest, image.shape), image)


def saturate(image: Pixels, level: tuple[float, float], _: None) -> Pixels:
    """Scale and shift the saturation, to 0..1; grey pixels have the hue of red."""
    found = np.empty_like(image)
    for rows in strips(image):
        red, green, blue = np.moveaxis(_UNIT[image[rows]], 2, 0)
        parts = _saturated(red, green, blue, level)
        found[rows] = np.stack(parts, axis=2)
    return found


def _saturated(
    red: Reals, green: Reals, blue: Reals, level: tuple[float, float]
) -> tuple[Pixels, Pixels, Pixels]:
    """The three channels of pixels by way of HSV, all in float64."""
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    coloured = spread > 0
    safe = np.where(coloured, spread, 1.0)
    saturation = spread / np.where(value > 0, value, 1.0)
    saturation = np.clip(saturation * level[0] + level[1], 0, 1)
    # Where two channels are the largest, the later of red, green, blue counts.
    hue = np.where(
        value == blue,
        4.0 + (red - green) / safe,
        np.where(value == green, 2.0 + (blue - red) / safe, (green - blue) / safe),
    )
    hue = np.where(coloured, hue / 6.0, 0.0)
    hue = np.where(hue < 0, hue + 1, hue) * 6
    sector = np.floor(hue)
    part = hue - sector
    least = to_pixels(value * (1 - saturation))
    falling = to_pixels(value * (1 - part * saturation))
    rising = to_pixels(value * (1 - (1 - part) * saturation))
    most = to_pixels(value)
    sixth = sector.astype(np.uint8) % 6
    return (
        np.choose(sixth, (most, falling, least, least, rising, most)),
        np.choose(sixth, (rising, most, most, falling, least, least)),
        np.choose(sixth, (least, least, rising, most, most, falling)),
    )


BRIGHTNESS = Corruption((0.1, 0.2, 0.3, 0.4, 0.5), brightness)
SATURATE = Corruption(((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)), saturate)
