"""Fog: a fractal map of its density, the same for all channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions import draws
from segmodels.robustness.corruptions.base import Corruption, Reals, strips, truncated

#: By level, from the coarsest to single pixels, three fields (3, k, k) with k = 1, 2, 4, ...: noise
#: of the middles of squares, of those between corners of a row, and of a column; even in (-w, w),
#: where w is 100 at first and falls by `decay` from level to level.
Fields = Sequence[Reals]

FIRST = 100.0


def side_of(height: int, width: int) -> int:
    """Side of the square map that an image is cut from: the next power of two, 4 at least."""
    return 1 << (max(height, width, 3) - 1).bit_length()


def fractal(fields: Fields, decay: float) -> Reals:
    """Diamonds and squares on a torus, scaled to 0..1: float32 (side, side).

    Noise enters multiplied by w once more, so that its size falls with the square of `decay`.
    """
    corners, wide = np.zeros((1, 1), np.float32), FIRST
    for squares, in_rows, in_columns in fields:
        corners = _finer(corners, wide, squares, in_rows, in_columns)
        wide /= decay
    corners -= corners.min()
    most = corners.max()
    return corners / most if most > 0 else corners


def _finer(corners: Reals, wide: float, squares: Reals, in_rows: Reals, in_columns: Reals) -> Reals:
    """The map with twice as many points a side, from (k, k) corners and three fields of noise."""
    side, quarter = len(corners), np.float32(0.25)
    finer = np.empty((side, 2, side, 2), np.float32)
    across = corners + np.roll(corners, -1, axis=1)
    down = corners + np.roll(corners, -1, axis=0)
    middles = (across + np.roll(across, -1, axis=0)) * quarter + squares.astype(np.float32) * wide
    across += middles
    across += np.roll(middles, 1, axis=0)
    down += middles
    down += np.roll(middles, 1, axis=1)
    finer[:, 0, :, 0], finer[:, 1, :, 1] = corners, middles
    finer[:, 0, :, 1] = across * quarter + in_rows.astype(np.float32) * wide
    finer[:, 1, :, 0] = down * quarter + in_columns.astype(np.float32) * wide
    return finer.reshape(2 * side, 2 * side)


def fog(image: Pixels, level: tuple[float, float], fields: Fields) -> Pixels:
    """The map on top, and everything scaled back to the largest value there was."""
    strength, decay = level
    most = int(image.max())
    scale = np.float32(most / (most + 255 * strength))
    density = fractal(fields, decay) * np.float32(255 * strength)
    found = np.empty_like(image)
    for rows in strips(image):
        levels = image[rows] + density[rows, : image.shape[1], None]
        levels *= scale
        found[rows] = truncated(levels)
    return found


def _fields(side: int, decay: float, random: np.random.Generator) -> Fields:
    fields, wide = [], FIRST
    for level in range(side.bit_length() - 1):
        fields.append(draws.uniform(random, (3, 1 << level, 1 << level), wide))
        wide /= decay
    return fields


def _draw(image: Pixels, level: tuple[float, float], random: np.random.Generator) -> Fields:
    return _fields(side_of(*image.shape[:2]), level[1], random)


def _draw_of_256(image: Pixels, level: tuple[float, float], random: np.random.Generator) -> Fields:
    return _fields(max(256, side_of(*image.shape[:2])), level[1], random)


_LEVELS = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))

#: The first generator draws a map of 256 x 256 whatever the size of the image, which is 224 there;
#: a larger image takes the next power of two here, as it has none.
FOG = Corruption(
    _LEVELS, fog, _draw, variants={"hendrycks": Corruption(_LEVELS, fog, _draw_of_256)}
)
