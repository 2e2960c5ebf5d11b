"""Photometric distortion: light and colours changed as mmsegmentation does it, in fewer passes.

Every change is rounded to whole grey levels before the next one. Brightness and contrast are
tables of 256 entries, and tables that follow each other are one table. Saturation and hue are
changed in HSV; each takes a round trip of its own, because RGB in between is rounded as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from segmodels.core.arrays import Pixels

#: The papers' ranges: grey levels, factors around 1, half degrees of hue.
BRIGHTNESS, CONTRAST, SATURATION, HUE = 32.0, 0.5, 0.5, 18

_LEVELS = np.arange(256, dtype=np.uint8)
_HUES = 180  # an 8-bit hue counts half degrees
_H, _S = 0, 1  # channels


@dataclass(frozen=True)
class Distortion:
    """What happens to the colours of one image; a change that is None is left out.

    Attributes:
        brightness: grey levels added.
        contrast: factor of all values.
        contrast_last: after the colours, not before them.
        saturation: factor.
        hue: half degrees added.
    """

    brightness: float | None = None
    contrast: float | None = None
    contrast_last: bool = False
    saturation: float | None = None
    hue: int | None = None

    @classmethod
    def draw(cls, random: np.random.Generator, strength: float) -> Distortion:
        """Each change happens with probability 1/2, within `strength` times the papers' ranges.

        As in mmsegmentation the largest hue (+18 at full strength) is never drawn.
        """
        happens = random.random(5) < 0.5
        shares = random.uniform(-strength, strength, 3).tolist()
        bound = round(strength * HUE)
        hue = int(random.integers(-bound, bound)) if bound else None
        return cls(
            brightness=BRIGHTNESS * shares[0] if strength and happens[0] else None,
            contrast=1 + CONTRAST * shares[1] if strength and happens[1] else None,
            contrast_last=bool(happens[2]),
            saturation=1 + SATURATION * shares[2] if strength and happens[3] else None,
            hue=hue if happens[4] else None,
        )

    def apply(self, image: Pixels) -> Pixels:
        """Distort uint8 RGB (H, W, 3)."""
        image, table = self.prepared(image)
        return np.asarray(cv2.LUT(image, table))

    def prepared(self, image: Pixels) -> tuple[Pixels, Pixels]:
        """The image with all changes but those that one table (256,) can make, and that table,
        so that whoever looks the values up anyway can have both in one pass.
        """
        before, after = self._tables()
        if self.saturation is None and self.hue is None:
            return image, after[before]
        if self.brightness is not None or self.contrast is not None:
            image = np.asarray(cv2.LUT(image, before))
        if self.saturation is not None:
            image = _in_hsv(image, _S, _changed(_LEVELS, factor=self.saturation))
        if self.hue is not None:
            turned = (_LEVELS.astype(int) + self.hue) % _HUES
            image = _in_hsv(image, _H, turned.astype(np.uint8))
        return image, after

    def _tables(self) -> tuple[Pixels, Pixels]:
        """New grey levels (256,) before and after the colours change."""
        before = after = _LEVELS
        if self.brightness is not None:
            before = _changed(before, added=self.brightness)
        if self.contrast is not None and self.contrast_last:
            after = _changed(after, factor=self.contrast)
        elif self.contrast is not None:
            before = _changed(before, factor=self.contrast)
        return before, after


def _changed(levels: Pixels, factor: float = 1.0, added: float = 0.0) -> Pixels:
    """Float32 arithmetic, clipped to 0..255 and cut (not rounded) to whole levels."""
    values = levels.astype(np.float32) * np.float32(factor) + np.float32(added)
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)


def _in_hsv(image: Pixels, channel: int, table: Pixels) -> Pixels:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    values = cv2.LUT(cv2.extractChannel(hsv, channel), table)
    cv2.insertChannel(values, hsv, channel)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
