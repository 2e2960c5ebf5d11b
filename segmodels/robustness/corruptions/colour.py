"""Value and saturation of HSV, with the rounding of the authors' float64 before they truncate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from segmodels.core.arrays import Floats, Pixels
from segmodels.robustness.corruptions.base import Corruption, Reals, strips, to_pixels

_UNIT = np.arange(256) / 255.0


@lru_cache(maxsize=5)
def brighter(shift: float) -> Pixels:
    """Grey level of a channel by the largest of its pixel and by its own: uint8 (256, 256)."""
    value, channel = _UNIT[:, None], _UNIT[None]
    saturation = (value - channel) / np.maximum(value, _UNIT[1])
    raised = np.clip(value + shift, 0, 1)
    return to_pixels(np.where(channel < value, raised * (1 - saturation), raised))


def brightness(image: Pixels, shift: float, _: None) -> Pixels:
    """Raise the value by `shift`, to 1 at most; hue and saturation stay, black becomes grey."""
    table, found = brighter(shift).ravel(), np.empty_like(image)
    for rows in strips(image):
        planes = [np.ascontiguousarray(image[rows, :, index]) for index in range(3)]
        largest = np.maximum(np.maximum(planes[0], planes[1]), planes[2]).astype(np.uint16) << 8
        for index, plane in enumerate(planes):
            found[rows, :, index] = np.take(table, largest | plane)
    return found


@lru_cache(maxsize=5)
def saturations(scale: float, shift: float) -> tuple[Floats, Pixels]:
    """Saturation, float64, and grey level of the smallest channel, by the largest and the smallest.

    Both (65536,); the index is 256 times the largest, plus the smallest.
    """
    value, least = _UNIT[:, None], _UNIT[None]
    saturation = np.clip((value - least) / np.maximum(value, _UNIT[1]), 0, 1)
    saturation = np.clip(saturation * scale + shift, 0, 1)
    return saturation.ravel(), to_pixels(value * (1 - saturation)).ravel()


def saturate(image: Pixels, level: tuple[float, float], _: None) -> Pixels:
    """Scale and shift the saturation, to 0..1; grey pixels have the hue of red."""
    by_both, leasts = saturations(*level)
    found = np.empty_like(image)
    for rows in strips(image):
        red, green, blue = (np.ascontiguousarray(image[rows, :, index]) for index in range(3))
        most = np.maximum(np.maximum(red, green), blue)
        low = np.minimum(np.minimum(red, green), blue)
        both = (most.astype(np.uint16) << 8) | low
        least = np.take(leasts, both)
        middle = _middle(red, green, blue, most, low, np.take(by_both, both))
        grey = most == low
        for index, channel in enumerate((red, green, blue)):
            ends = np.where(channel == most, most, np.where(channel == low, least, middle))
            found[rows, :, index] = np.where(grey, least, ends) if index else ends
    return found


def _middle(
    red: Pixels, green: Pixels, blue: Pixels, most: Pixels, low: Pixels, saturation: Reals
) -> Pixels:
    """Grey level of the channel between the largest and the smallest one, in the authors' steps.

    Where two channels are the largest, the later of red, green, blue counts as that.
    """
    value, least = _UNIT[most], _UNIT[low]
    # Sums of three bytes may wrap around; their differences are right all the same.
    between = _UNIT[red + green + blue - most - low]
    by_blue, by_green = blue == most, green == most
    sixth = np.where(by_blue, np.uint8(4), np.where(by_green, np.uint8(2), np.uint8(0)))
    follows = np.where(by_blue, red >= green, np.where(by_green, blue >= red, green >= blue))
    hue = (between - least) / np.where(most == low, 1.0, value - least)
    hue = np.where(follows, hue, -hue) + sixth
    hue /= 6
    hue[hue < 0] += 1
    hue *= 6
    part = hue - np.floor(hue)
    part = np.where(follows, 1 - part, part)
    return to_pixels(value * (1 - part * saturation))


BRIGHTNESS = Corruption((0.1, 0.2, 0.3, 0.4, 0.5), brightness, version=2)
SATURATE = Corruption(((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)), saturate)
