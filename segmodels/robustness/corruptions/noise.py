"""Noise: every value by itself, channels independent of each other."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions.base import Corruption, Reals, strips, truncated
from segmodels.robustness.corruptions.draws import bits, normal

Mask = npt.NDArray[np.bool_]


def add_noise(image: Pixels, std: float, noise: Reals) -> Pixels:
    """Noise on top, given on [0, 1]: float (H, W, 3).

    The sum is truncated where it is positive, hence the noise is rounded down.
    """
    import cv2  # here, because judging asks which corruptions there are and needs no OpenCV

    found = np.empty_like(image)
    for rows in strips(image):
        levels = np.floor(noise[rows] * 255).astype(np.int16)
        found[rows] = cv2.add(image[rows], levels, dtype=cv2.CV_8U)
    return found


def _gaussian(image: Pixels, std: float, random: np.random.Generator) -> Reals:
    # Published evidence rests on these numbers: float64, by numpy's own algorithm.
    noise = random.standard_normal(image.shape)
    noise *= std
    return noise


def _speckle(image: Pixels, std: float, random: np.random.Generator) -> Reals:
    return normal(random, image.shape, 0, std)


def multiply_noise(image: Pixels, std: float, noise: Reals) -> Pixels:
    """Noise in proportion to the grey level: float (H, W, 3), 1 doubles a value."""
    found = np.empty_like(image)
    for rows in strips(image):
        levels = noise[rows] * image[rows]
        levels += image[rows]
        found[rows] = truncated(levels)
    return found


def count_photons(image: Pixels, rate: int, counts: npt.NDArray[np.integer]) -> Pixels:
    """Numbers of photons, (H, W, 3), as grey levels: 255 are worth `rate` of them."""
    most = np.arange(256)
    levels = np.clip(most / rate, 0, 1) * 255
    return np.take(levels.astype(np.uint8), counts, mode="clip")


class PoissonTables(NamedTuple):
    """Number of photons by grey level and 16 random bits, as good as one table of 16 MB.

    Attributes:
        coarse: uint16 (65536,), by grey level and the upper 8 bits. Below 0x8000 its upper byte is
            a number, which is one more where the lower 8 bits exceed its lower byte; from 0x8000
            on, the rest is a row of `fine`.
        fine: uint8 (rows, 256), by the lower 8 bits: for the few places where numbers lie denser.
    """

    coarse: npt.NDArray[np.uint16]
    fine: npt.NDArray[np.uint8]


@lru_cache(maxsize=5)
def poisson_tables(rate: int) -> PoissonTables:
    """Quantiles of the Poisson distribution at the middles of 65536 equal shares."""
    cells = _photons_by_bits(rate).reshape(256 * 256, 256)
    first, last = cells[:, 0].astype(np.uint16), cells[:, -1]
    dense = np.flatnonzero(last > first + 1)
    coarse = (first << 8) + ((cells == cells[:, :1]).sum(axis=1) - 1).astype(np.uint16)
    coarse[dense] = 0x8000 + np.arange(len(dense))
    return PoissonTables(coarse, cells[dense])


def _photons_by_bits(rate: int) -> npt.NDArray[np.uint8]:
    """The table of 16 MB: uint8 (256, 65536)."""
    mean = np.arange(256) * (rate / 255)
    photons = np.arange(1, 256)
    share = np.exp(-mean)
    shares = np.cumprod(mean[:, None] / photons, axis=1) * share[:, None]
    below = np.cumsum(np.concatenate([share[:, None], shares], axis=1), axis=1)
    # How many of the 65536 middles lie below the distribution function at each number.
    edges = np.clip(np.rint(below * 65536), 0, 65536).astype(np.int64)
    edges[:, -1] = 65536
    table = np.empty((256, 65536), np.uint8)
    for level, ends in enumerate(edges):
        table[level] = np.repeat(np.arange(256, dtype=np.uint8), np.diff(ends, prepend=0))
    return table


def _photons(image: Pixels, rate: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    tables, chance = poisson_tables(rate), bits(random, image.shape)
    counts = np.empty_like(image)
    for rows in strips(image):
        lower = chance[rows].astype(np.uint8)
        place = (image[rows].astype(np.uint16) << 8) | (chance[rows] >> 8)
        code = np.take(tables.coarse, place)
        part = (code >> 8).astype(np.uint8) + (lower > code.astype(np.uint8))
        dense = np.flatnonzero(code >= 0x8000)
        row = np.take(code, dense) & 0x7FFF
        np.put(part, dense, tables.fine[row, np.take(lower, dense)])
        counts[rows] = part
    return counts


class Impulses(NamedTuple):
    """Draws of impulse noise, bool (H, W, 3): which values are hit, and which of them are salt."""

    hit: Mask
    salt: Mask


def hit_values(image: Pixels, amount: float, impulses: Impulses) -> Pixels:
    """Salt (255) and pepper (0) in place of the values hit."""
    found = np.empty_like(image)
    for rows in strips(image):
        ends = impulses.salt[rows].view(np.uint8) * np.uint8(255)
        found[rows] = np.where(impulses.hit[rows], ends, image[rows])
    return found


def _impulses(image: Pixels, amount: float, random: np.random.Generator) -> Impulses:
    chance, edge = bits(random, image.shape), round(amount * 65536)
    return Impulses(chance < np.uint16(edge), chance < np.uint16(edge // 2))


CORRUPTIONS = {
    "gaussian_noise": Corruption((0.08, 0.12, 0.18, 0.26, 0.38), add_noise, _gaussian),
    "shot_noise": Corruption((60, 25, 12, 5, 3), count_photons, _photons, version=2),
    "impulse_noise": Corruption((0.03, 0.06, 0.09, 0.17, 0.27), hit_values, _impulses, version=2),
    "speckle_noise": Corruption((0.15, 0.2, 0.35, 0.45, 0.6), multiply_noise, _speckle, version=2),
}
