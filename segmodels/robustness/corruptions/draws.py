"""Random numbers for corruptions, made of raw bits by tables.

The raw bits of a numpy bit generator are the same in all versions of numpy and on every machine,
which its distributions do not promise; and a table of 65536 entries is several times as fast.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint16]

_SIZE = 1 << 16


def bits(random: np.random.Generator, shape: tuple[int, ...]) -> Bits:
    """Evenly distributed uint16 of this shape."""
    number = math.prod(shape)
    raw = np.asarray(random.bit_generator.random_raw(-(-number // 4)), dtype="<u8")
    return raw.view("<u2")[:number].reshape(shape).astype(np.uint16, copy=False)


@lru_cache(maxsize=1)
def _quantiles() -> Floats32:
    """Quantiles of the standard normal distribution at the middles of 65536 equal shares."""
    quantile = NormalDist().inv_cdf
    half = np.array([quantile((i + 0.5) / _SIZE) for i in range(_SIZE // 2)])
    both = np.concatenate([half, -half[::-1]])
    table: Floats32 = (both / both.std()).astype(np.float32)
    return table


def normal(
    random: np.random.Generator, shape: tuple[int, ...], mean: float, std: float
) -> Floats32:
    """Normally distributed float32, of 65536 different values within 4.3 deviations."""
    table = _quantiles() * np.float32(std) + np.float32(mean)
    return np.take(table, bits(random, shape))


def uniform(random: np.random.Generator, shape: tuple[int, ...], most: float) -> Floats32:
    """Evenly distributed float32 in (-most, most), of 65536 different values."""
    step = np.float32(2 * most / _SIZE)
    return bits(random, shape).astype(np.float32) * step + np.float32(most / _SIZE - most)


def angle(random: np.random.Generator, least: float, most: float) -> float:
    """One evenly distributed number, float64 of 53 bits."""
    raw = int(np.asarray(random.bit_generator.random_raw(1))[0])
    return least + (most - least) * (raw >> 11) / (1 << 53)


def below(random: np.random.Generator, number: int) -> int:
    """A whole number from 0 on, smaller than `number`; 0 where there is no other."""
    raw = int(np.asarray(random.bit_generator.random_raw(1))[0])
    return (raw >> 32) * max(1, number) >> 32
