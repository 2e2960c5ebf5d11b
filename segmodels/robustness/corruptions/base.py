"""What a corruption is: a function of an image, a severity and a random generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels

UnitImage = npt.NDArray[Any]

#: uint8 (H, W, 3) RGB, severity 1..5, generator -> uint8 (H, W, 3) RGB.
Corrupt = Callable[[Pixels, int, np.random.Generator], Pixels]


def to_unit(image: Pixels) -> UnitImage:
    """Grey levels as float64 in [0, 1]."""
    return image.astype(np.float64) / 255.0


def to_pixels(values: UnitImage) -> Pixels:
    """Back to uint8: clipped to [0, 1], scaled and truncated, as the reference code does."""
    return np.asarray(np.clip(values, 0.0, 1.0) * 255, dtype=np.uint8)
