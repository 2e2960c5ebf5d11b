"""Pixels before the network: the papers' resize. Training's own:
`segmodels.training.augmentation`."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from segmodels.core.arrays import Pixels
from segmodels.protocols.protocol import Library, Protocol, pair

#: An image (H, W, 3): uint8, or float32 where a protocol resizes normalised pixels.
Values = npt.NDArray[Any]


def resize(image: Values, height: int, width: int, library: Library = "opencv") -> Values:
    """Bilinear resize of (H, W, 3) as one of the libraries does it.

    `opencv`, as mmcv and so all official code here: no antialiasing; uint8 stays uint8, and
    float32 (`opencv-float`) is not rounded. `pillow` and `torch` antialias when they shrink,
    on uint8, which changes published numbers; between them a grey level can differ.
    """
    if image.shape[:2] == (height, width):
        return image
    if library == "pillow":
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    if library == "torch":
        return _resize_torch(image, height, width)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def middle(image: Pixels, protocol: Protocol) -> Pixels:
    """What a network sees of an image that has one label (`whole_image`): uint8 (side, side, 3).

    As torchvision does it to Pillow's images: the short side is brought to `resize_short` by the
    bicubic filter, the long one follows without its fraction, and the crop begins at the nearest
    even number of half a pixel.
    """
    assert protocol.resize_short is not None
    assert protocol.whole_image is not None
    height, width = image.shape[:2]
    if (low := min(height, width)) != protocol.resize_short:
        height, width = (int(protocol.resize_short * side / low) for side in (height, width))
        picture = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
        image = np.asarray(picture)
    side = protocol.whole_image
    top, left = (round((whole - side) / 2) for whole in (height, width))
    return image[top : top + side, left : left + side]


def _resize_torch(image: Values, height: int, width: int) -> Values:
    import torch  # only here: training and the papers' protocols resize without it

    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    resized = torch.nn.functional.interpolate(
        pixels, size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )
    return np.ascontiguousarray(resized[0].numpy().transpose(1, 2, 0))


def view_size(height: int, width: int, protocol: Protocol, scale: float) -> tuple[int, int]:
    """Height and width of one test-time view of an image, before any padding or enlarging."""
    return view_sizes(height, width, protocol, scale)[-1]


def resized_view(image: Values, protocol: Protocol, scale: float) -> Values:
    """One test-time view of an image (H, W, 3), resized step by step as the protocol says."""
    for height, width in view_sizes(image.shape[0], image.shape[1], protocol, scale):
        image = resize(image, height, width, protocol.resize_library)
    return image


def view_sizes(height: int, width: int, protocol: Protocol, scale: float) -> list[tuple[int, int]]:
    """Heights and widths an image goes through: its target, then the next `resize_multiple`."""
    target = _target_size(height, width, protocol, scale)
    if multiple := protocol.resize_multiple:
        aligned = tuple(-(-side // multiple) * multiple for side in target)
        return [target, (aligned[0], aligned[1])]
    return [target]


def _target_size(height: int, width: int, protocol: Protocol, scale: float) -> tuple[int, int]:
    """`scale` times the target if there is one (fixed, or keep-ratio with the long side
    capped), else the largest size of the image's ratio within `scale` times its own size, both
    sides rounded. Rounding is mmcv's `int(x + 0.5)`.
    """
    if protocol.resize_fixed is not None:
        tall, wide = pair(protocol.resize_fixed)
        return max(int(tall * scale), 1), max(int(wide * scale), 1)
    if protocol.resize_short is None:
        box = sorted(int(side * scale + 0.5) for side in (height, width))
        factor = min(box[0] / min(height, width), box[1] / max(height, width))
    else:
        factor = int(protocol.resize_short * scale) / min(height, width)
        if protocol.resize_long is not None:
            factor = min(int(protocol.resize_long * scale) / max(height, width), factor)
    return max(int(height * factor + 0.5), 1), max(int(width * factor + 0.5), 1)
