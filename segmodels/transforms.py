"""Pixels before the network: the papers' resize, and the augmentations of training."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from segmodels.pixels import VOID, Pixels
from segmodels.protocols import Protocol


def resize(image: Pixels, height: int, width: int) -> Pixels:
    """Resize uint8 (H, W, 3) as mmcv does: OpenCV bilinear on uint8, no antialiasing.

    Pillow and torchvision antialias, which changes published numbers.
    """
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(
        cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
    )


def view_size(height: int, width: int, protocol: Protocol, scale: float) -> tuple[int, int]:
    """Height and width of one test-time view of an image, before any enlarging.

    With a target size the image is resized once, directly to `scale` times the target
    (keep-ratio, long side capped, then each side up to `resize_multiple`); without one, to
    `scale` times its own size. Rounding is mmcv's `int(x + 0.5)`.
    """
    factor = scale
    if protocol.resize_short is not None:
        factor = int(protocol.resize_short * scale) / min(height, width)
        if protocol.resize_long is not None:
            factor = min(int(protocol.resize_long * scale) / max(height, width), factor)
    new_height, new_width = int(height * factor + 0.5), int(width * factor + 0.5)
    if multiple := protocol.resize_multiple:
        new_height = -(-new_height // multiple) * multiple
        new_width = -(-new_width // multiple) * multiple
    return max(new_height, 1), max(new_width, 1)


@dataclass(frozen=True)
class Augmentation:
    """Random scale, crop, mirror and light, the common recipe of the papers.

    Attributes:
        crop: height and width of the training crop in pixels.
        scale: smallest and largest factor of the random resize.
        flip: probability of a mirror image.
        jitter: strength of brightness and contrast changes, 0 for none.
    """

    crop: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)
    flip: float = 0.5
    jitter: float = 0.25

    def __call__(
        self, image: Pixels, label: Pixels, random: np.random.Generator
    ) -> tuple[Pixels, Pixels]:
        """Augment uint8 (H, W, 3) and (H, W) to crop size; what the image does not cover is
        grey 128 and void.
        """
        factor = random.uniform(*self.scale)
        height, width = (max(1, int(side * factor + 0.5)) for side in label.shape)
        image = resize(image, height, width)
        label = np.asarray(
            cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8
        )
        image, label = self._crop(image, label, random)
        if random.random() < self.flip:
            image, label = image[:, ::-1], label[:, ::-1]
        return self._light(image, random), np.ascontiguousarray(label)

    def _crop(
        self, image: Pixels, label: Pixels, random: np.random.Generator
    ) -> tuple[Pixels, Pixels]:
        height, width = self.crop
        top = int(random.integers(max(label.shape[0] - height, 0) + 1))
        left = int(random.integers(max(label.shape[1] - width, 0) + 1))
        image, label = (x[top : top + height, left : left + width] for x in (image, label))
        missing = (height - label.shape[0], width - label.shape[1])
        if any(missing):
            below, right = (0, missing[0]), (0, missing[1])
            image = np.pad(image, (below, right, (0, 0)), constant_values=128)
            label = np.pad(label, (below, right), constant_values=VOID)
        return image, label

    def _light(self, image: Pixels, random: np.random.Generator) -> Pixels:
        gain = 1 + random.uniform(-self.jitter, self.jitter)
        shift = 255 * random.uniform(-self.jitter, self.jitter) / 2
        changed = (image.astype(np.float32) - 128) * np.float32(gain) + np.float32(128 + shift)
        return np.asarray(np.clip(changed, 0, 255), dtype=np.uint8)
