"""What a corruption is: draws from a generator, and a pure function of an image and those draws.

Parameters and order of operations are those of ImageNet-C (Hendrycks and Dietterich, ICLR 2019) as
the package imagecorruptions (Michaelis et al., 2019) carries them to images of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels

Reals = npt.NDArray[Any]

#: Image, parameters of the severity, raw draws (None where nothing is left to chance) -> image.
Apply = Callable[[Pixels, Any, Any], Pixels]
#: Image, parameters of the severity, generator -> raw draws.
Draw = Callable[[Pixels, Any, np.random.Generator], Any]

#: About as many values as a processor's second cache holds as float32.
_STRIP = 1 << 16


@dataclass(frozen=True)
class Corruption:
    """A corruption under its five severities.

    Attributes:
        levels: parameters of severities 1 to 5.
        apply: pure function of the image, one of `levels` and raw draws.
        draw: makes the raw draws; None where nothing is left to chance.
        variants: the same corruption as another published generator defines it, by that
            generator's name.
        version: raised whenever its pixels change, so that evidence from before is not taken for
            evidence of now; from 2 on it is part of a condition. One number, or one of each
            severity.
    """

    levels: tuple[Any, ...]
    apply: Apply
    draw: Draw | None = None
    variants: Mapping[str, Corruption] = field(default_factory=dict)
    version: int | tuple[int, int, int, int, int] = 1

    def version_of(self, severity: int) -> int:
        """The version of its pixels at a severity."""
        return self.version if isinstance(self.version, int) else self.version[severity - 1]


def strips(image: Reals, at_least: int = 1) -> Iterator[slice]:
    """Slices of rows that together are the image, each small enough for a processor's cache."""
    height = len(image)
    rows = max(1, at_least, _STRIP * height // max(1, image.size))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def truncated(levels: Reals) -> Pixels:
    """Grey levels as float (0 to 255, beyond is clipped) to uint8, truncated as by the authors."""
    return np.clip(levels, 0, 255).astype(np.uint8)


def to_unit(image: Pixels) -> Reals:
    """Grey levels as float64 in [0, 1]."""
    return image.astype(np.float64) / 255.0


def to_pixels(values: Reals) -> Pixels:
    """[0, 1] to uint8: clipped, scaled and truncated, as the reference code does."""
    return np.asarray(np.clip(values, 0.0, 1.0) * 255, dtype=np.uint8)


def looked_up(table: Pixels, first: Pixels, second: Pixels) -> Pixels:
    """`table[first, second]`, value by value.

    Args:
        table: uint8 (256, 256).
        first: uint8, any shape.
        second: uint8, the same shape.
    """
    found = np.empty_like(second)
    flat = table.ravel()
    for rows in strips(second):
        index = first[rows].astype(np.uint16) << 8
        index |= second[rows]
        np.take(flat, index, out=found[rows], mode="clip")
    return found
