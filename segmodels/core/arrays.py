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
