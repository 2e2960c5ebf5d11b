"""Blur, with the parameters of ImageNet-C (Hendrycks and Dietterich, ICLR 2019)."""

from __future__ import annotations

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions.base import to_pixels, to_unit

_GAUSSIAN = (1, 2, 3, 4, 6)


def gaussian_blur(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Gaussian filter, sigma in pixels, cut off at four sigma, edges repeated."""
    import cv2  # here, because judging asks which corruptions there are and needs no OpenCV

    del random  # nothing here is left to chance
    sigma = _GAUSSIAN[severity - 1]
    side = 2 * int(4 * sigma + 0.5) + 1
    blurred = cv2.GaussianBlur(to_unit(image), (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    return to_pixels(np.asarray(blurred))
