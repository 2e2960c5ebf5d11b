"""Weather, with the parameters of ImageNet-C (Hendrycks and Dietterich, ICLR 2019)."""

from __future__ import annotations

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.robustness.corruptions.base import to_pixels, to_unit

_BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)


def brightness(image: Pixels, severity: int, random: np.random.Generator) -> Pixels:
    """Raise the value channel of HSV."""
    import cv2  # here, because judging asks which corruptions there are and needs no OpenCV

    del random  # nothing here is left to chance
    hsv = cv2.cvtColor(to_unit(image).astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 2] = np.clip(hsv[..., 2] + _BRIGHTNESS[severity - 1], 0, 1)
    return to_pixels(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)))
