"""Textures like frozen glass, drawn to the statistics of the photographs that papers used.

For each photograph the means, deviations and correlations of its channels are kept, the quantiles
of its grey level and its power over spatial frequency: noise of that power is pushed through those
quantiles. Numbers under this frost are near those under the photographs', and not the same.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Floats, Pixels
from segmodels.robustness.corruptions import draws


class Photograph(NamedTuple):
    """Statistics of one photograph.

    Attributes:
        size: height and width.
        means: of red, green and blue.
        stds: of the same.
        correlations: of red with green, green with blue, red with blue.
        quantiles: of the grey level at 1, 10, 25, 50, 75, 90 and 99 %.
        power: log10 of its power in the bands between `_EDGES`, up to a constant.
        slope: log10 of the power falls by this per factor of ten of the frequency below the first.
    """

    size: tuple[int, int]
    means: tuple[float, float, float]
    stds: tuple[float, float, float]
    correlations: tuple[float, float, float]
    quantiles: tuple[float, ...]
    power: tuple[float, ...]
    slope: float


_SHARES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)

#: Middles of the bands, in shares of the highest frequency along an axis.
_MIDDLES = (1 / 45, 3 / 64, 3 / 32, 3 / 16, 0.325, 0.5, 0.7, 1.0)

_BLUE = Photograph(
    (600, 900),
    (77.67, 149.12, 165.74),
    (26.91, 16.48, 15.33),
    (0.8236, 0.9327, 0.5744),
    (97.0, 109.0, 117.7, 129.0, 142.3, 155.3, 177.3),
    (4.969, 3.913, 2.982, 2.549, 2.362, 2.195, 1.923, 1.349),
    2.0,
)
_WHITE = Photograph(
    (315, 560),
    (200.79, 205.38, 214.48),
    (21.37, 22.09, 22.57),
    (0.9956, 0.995, 0.99),
    (141.3, 177.3, 195.0, 210.3, 222.3, 231.3, 245.0),
    (5.323, 4.27, 3.807, 3.386, 2.897, 2.56, 2.196, 1.57),
    2.0,
)
_PALE = Photograph(
    (350, 527),
    (137.62, 152.77, 165.18),
    (28.48, 28.49, 29.86),
    (0.9975, 0.993, 0.9914),
    (82.0, 116.0, 134.0, 152.0, 169.0, 186.0, 233.7),
    (4.639, 4.307, 4.038, 3.598, 3.381, 3.028, 2.69, 2.123),
    3.9,
)
_GREY = Photograph(
    (495, 660),
    (112.38, 123.37, 134.75),
    (44.42, 43.26, 41.66),
    (0.9994, 0.9991, 0.9977),
    (45.0, 70.7, 91.7, 119.0, 150.7, 183.0, 237.7),
    (5.172, 4.809, 4.174, 3.588, 3.067, 2.799, 2.542, 2.375),
    2.9,
)

#: The second and the third photograph are the same picture.
_DRAWN = (_BLUE, _WHITE, _WHITE, _PALE, _GREY)


@lru_cache(maxsize=1)
def drawn_textures() -> tuple[Pixels, ...]:
    """Five textures, uint8 (h, w, 3), RGB; always the same ones."""
    made = {kind: texture(kind, seed) for seed, kind in enumerate(dict.fromkeys(_DRAWN))}
    return tuple(made[kind] for kind in _DRAWN)


def texture(kind: Photograph, seed: int) -> Pixels:
    """A texture with the statistics of a photograph."""
    random = np.random.default_rng(seed)
    fields = np.stack([_field(kind, random) for _ in range(3)])
    channels = np.tensordot(_mixing(kind.correlations), fields, axes=1)
    scaled = np.asarray(kind.means)[:, None, None] + np.asarray(kind.stds)[:, None, None] * (
        _shaped(channels, kind.quantiles)
    )
    return np.moveaxis(np.clip(np.rint(scaled), 0, 255).astype(np.uint8), 0, 2).copy()


def _mixing(correlations: tuple[float, float, float]) -> Floats:
    """What makes fields of these correlations of three independent ones, (3, 3)."""
    first, second, outer = correlations
    matrix = np.array([[1, first, outer], [first, 1, second], [outer, second, 1]])
    return np.linalg.cholesky(matrix)


def _field(kind: Photograph, random: np.random.Generator) -> Floats:
    """Normal noise of the photograph's power over frequency, mean 0 and deviation 1: (h, w)."""
    height, width = kind.size
    white = draws.normal(random, kind.size, 0, 1).astype(np.float64)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    wave = np.fft.rfft2(white) * np.sqrt(_power(np.hypot(down, across) * 2, kind))
    wave[0, 0] = 0
    field = np.fft.irfft2(wave, s=kind.size)
    return np.asarray(field / field.std())


def _power(frequency: Floats, kind: Photograph) -> Floats:
    """Power at a frequency, in shares of the highest along an axis; straight between bands."""
    place = np.log10(np.maximum(frequency, 1e-4))
    middles = np.log10(_MIDDLES)
    power = np.interp(place, middles, kind.power)
    power += kind.slope * np.maximum(middles[0] - place, 0)
    return np.asarray(10**power)


def _shaped(values: Floats, quantiles: tuple[float, ...]) -> Floats:
    """Normal values pushed through quantiles, to mean 0 and deviation 1 in each channel."""
    normal = np.array([NormalDist().inv_cdf(share) for share in _SHARES])
    levels = np.asarray(quantiles)
    ends = [(levels[i] - levels[j]) / (normal[i] - normal[j]) for i, j in ((0, 1), (-1, -2))]
    normal = np.concatenate([[-9.0], normal, [9.0]])
    low = levels[0] + ends[0] * (normal[0] - normal[1])
    high = levels[-1] + ends[1] * (normal[-1] - normal[-2])
    shaped: npt.NDArray[np.float64] = np.interp(values, normal, [low, *levels, high])
    shaped -= shaped.mean(axis=(1, 2), keepdims=True)
    return np.asarray(shaped / shaped.std(axis=(1, 2), keepdims=True))
