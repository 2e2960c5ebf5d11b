"""The papers' training pipeline on one image, in as few passes over its pixels as it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import VOID, Pixels
from segmodels.evaluation.resize import view_size
from segmodels.models.preprocessing import Preprocessing
from segmodels.protocols.protocol import Protocol
from segmodels.training.augmentation.box import PixelSize
from segmodels.training.augmentation.crop import boxes, choose
from segmodels.training.augmentation.draws import Draws
from segmodels.training.augmentation.scale import resized_part

Levels = npt.NDArray[np.float32]

_RAMP = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)


@dataclass(frozen=True)
class Augmentation:
    """Random resize, crop, mirror, colours, normalisation, padding, in this order.

    Attributes:
        preprocessing: how pixels become network input.
        crop: height and width of what comes out.
        resize_short: short side of the image at ratio 1; None is the image's own size.
        resize_long: the long side may be this at ratio 1, and less or more in proportion.
        scale: smallest and largest ratio of the random resize.
        cat_max_ratio: share of the labelled pixels of a crop that no category should reach; 1
            takes any crop.
        flip: probability of a mirror image.
        photometric: strength of the change of colours; 1 is the papers' ranges, 0 none.
    """

    preprocessing: Preprocessing
    crop: PixelSize
    resize_short: int | None = None
    resize_long: int | None = None
    scale: tuple[float, float] = (0.5, 2.0)
    cat_max_ratio: float = 0.75
    flip: float = 0.5
    photometric: float = 1.0

    def __call__(
        self, image: Pixels, label: Pixels, random: np.random.Generator
    ) -> tuple[Levels, Pixels]:
        """Augment an image with what a generator draws; see `apply`."""
        return self.apply(image, label, Draws.of(random, self.scale, self.flip, self.photometric))

    def apply(self, image: Pixels, label: Pixels, draws: Draws) -> tuple[Levels, Pixels]:
        """Augment an image.

        Args:
            image: uint8 (H, W, 3) RGB; not changed.
            label: uint8 (H, W), classes or void; not changed.
            draws: what chance decided.

        Returns:
            float32 (3, h, w) normalised and uint8 (h, w), of crop size. What the image does not
            cover, below and to the right, is 0 after normalisation, and void.
        """
        size = self.size(label.shape[0], label.shape[1], draws.ratio)
        tries = boxes(size, self.crop, draws.corners)
        box, labels = choose(label, size, tries, self.cat_max_ratio)
        pixels = resized_part(image, size, box)
        if draws.mirrored:
            pixels, labels = _mirrored(pixels), _mirrored(labels)
        return self._normalised(*draws.distortion.prepared(pixels)), self._padded(labels)

    def size(self, height: int, width: int, ratio: float) -> PixelSize:
        """Height and width of an image after the random resize, rounded as mmcv does."""
        return view_size(height, width, self._target, ratio)

    @cached_property
    def _target(self) -> Protocol:
        return Protocol(
            name="training",
            version=1,
            title="training",
            resize_short=self.resize_short,
            resize_long=self.resize_long,
        )

    @cached_property
    def _levels(self) -> Levels:
        """(3, 256): what each grey level becomes, per channel of the network's input."""
        return np.ascontiguousarray(self.preprocessing.apply(_RAMP)[:, 0].T)

    def _normalised(self, pixels: Pixels, table: Pixels) -> Levels:
        """Look every value up once: the last change of colours and normalisation together."""
        out = np.zeros((3, *self.crop), dtype=np.float32)
        height, width = pixels.shape[:2]
        order = (0, 1, 2) if self.preprocessing.channels == "RGB" else (2, 1, 0)
        for plane, channel, levels in zip(out, order, self._levels, strict=True):
            values = cv2.extractChannel(pixels, channel)
            cv2.LUT(values, levels[table], plane[:height, :width])  # written in place
        return out

    def _padded(self, labels: Pixels) -> Pixels:
        if labels.shape == self.crop:
            return labels
        out = np.full(self.crop, VOID, dtype=np.uint8)
        out[: labels.shape[0], : labels.shape[1]] = labels
        return out


def _mirrored(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.flip(pixels, 1))
