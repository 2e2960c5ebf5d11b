"""What the generator of ImageNet-C was given for `tests/reference/imagemagick.json`."""

from __future__ import annotations

import numpy as np

#: Of numpy's global generator, before each corruption.
SEED = 7

#: Corruptions, and height and width of their images; the second is smaller than its blur.
CASES = (("motion_blur", (26, 33)), ("motion_blur", (6, 9)), ("snow", (224, 224)))

#: What is kept of snow: a corner, where the edge is repeated.
PART = np.s_[:24, -28:]


def scene(height: int, width: int) -> np.ndarray:
    """Smooth, with edges, an even part and every grey level: uint8 (H, W, 3)."""
    down, across = np.mgrid[:height, :width]
    levels = np.stack([7 * down + across, 3 * across + 40, 11 * across - 5 * down], axis=2) % 256
    levels[height // 4 : height // 2, width // 3 : width // 2] = (255, 254, 0)
    return levels.astype(np.uint8)
