"""Where pixels go between an image and a network: sizes, padding, windows, mirror images.

Both ways of evaluating stand on it, the reference path and the fast one; neither knows the other.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.resize import view_size
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol

#: One input of the network, float (1, 3, h, w), and how it was mirrored.
View = tuple[Tensor, str | None]

#: The dimension along which a view is mirrored.
MIRRORED_DIM = {"horizontal": -1, "vertical": -2}


def check_mirrored(mirrored: str | None) -> None:
    """Refuse a view that says of itself what is not known (SegmodelsError)."""
    if mirrored is not None and mirrored not in MIRRORED_DIM:
        known = ", ".join(map(repr, MIRRORED_DIM))
        raise SegmodelsError(f"a view is mirrored None, {known}, not {mirrored!r}.")


def decided_at(image: Pixels, protocol: Protocol) -> tuple[int, int]:
    """Height and width at which the labels of an image are decided."""
    height, width = image.shape[:2]
    if protocol.argmax_at == "input":
        return view_size(height, width, protocol, 1.0)
    return height, width


def window_origins(length: int, window: int, stride: int) -> list[int]:
    """Where windows start along one side: every stride, the last one shifted inward so that
    it ends with the image; one window at 0 when the image is not longer than it.
    """
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def padded(pixels: Tensor, multiple: int) -> Tensor:
    """Padded right and below with 0 to a multiple."""
    below, right = (-side % multiple for side in pixels.shape[-2:])
    return F.pad(pixels, (0, right, 0, below)) if below or right else pixels


def enlarged(pixels: Tensor, window: int) -> Tensor:
    """A view (1, 3, h, w) whose short side is below the window, enlarged to it."""
    height, width = pixels.shape[-2:]
    if min(height, width) >= window:
        return pixels
    # The ratio first, as the official code does: 512 * w / h can round to another integer.
    longer = int(max(height, width) / min(height, width) * window)
    size = (window, longer) if height < width else (longer, window)
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)


def fitted(pixels: Tensor, protocol: Protocol) -> tuple[Tensor, tuple[int, int]]:
    """A view (1, 3, h, w) enlarged to its window and padded to a multiple, where the protocol
    says so, and its height and width without the padding.
    """
    if isinstance(protocol.window, int) and protocol.enlarge:
        pixels = enlarged(pixels, protocol.window)
    size = (pixels.shape[-2], pixels.shape[-1])
    return padded(pixels, protocol.pad_multiple or 1), size


def check_once(model: SegModel, pixels: Tensor, protocol: Protocol) -> None:
    """Refuse `upsample_once` where a network pads inside: its logits would cover the padding."""
    height, width = pixels.shape[-2:]
    if model.upsampled_size(height, width) != (height, width):
        raise SegmodelsError(
            f"protocol {protocol.name!r}: `upsample_once` cannot be used with "
            f"{type(model).__name__} at {height}x{width}, which it pads inside; choose a size "
            f"that is a multiple of {model.stride}."
        )
