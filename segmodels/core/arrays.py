"""What images and label maps are everywhere in this library."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: uint8: (H, W, 3) RGB for an image, (H, W) for labels.
Pixels = npt.NDArray[np.uint8]

#: The label of a pixel that belongs to no class, in every dataset, after reading.
VOID = 255

#: The same where labels have 16 bits, because a whole image has one of more than 255 classes.
VOID_OF_IMAGE = 65535


def void_of(labels: npt.NDArray[np.generic]) -> int:
    """What says in these labels that something belongs to no class."""
    return VOID if labels.dtype.itemsize == 1 else VOID_OF_IMAGE
