"""From one image to one label map, exactly as a protocol says: the reference path.

Order of operations (Segmenter `segm.eval.miou`, SegFormer's mmseg fork; they agree): every
view gives logits, a sliding window's logits are averaged where windows overlap, logits are
resized to the image, mirrored back, soft-maxed over classes; probabilities are averaged over
views; the label is their argmax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.pixels import Pixels
from segmodels.protocols import Protocol
from segmodels.transforms import resize, view_size

View = tuple[Tensor, str | None]
#: One number for both sides, or (height, width).
Sides = int | tuple[int, int]

#: Windows per forward pass; the result does not depend on it.
_WINDOW_BATCH = 4
_MIRRORED_AXIS = {"horizontal": -1, "vertical": -2}


def predict(model: SegModel, image: Pixels, protocol: Protocol) -> Pixels:
    """Label every pixel of one image.

    Args:
        model: a network in eval mode that carries its preprocessing.
        image: uint8 (H, W, 3), RGB.
        protocol: how to look at it.

    Returns:
        uint8 (H, W), the index of the winning output.

    Raises:
        SegmodelsError: the model does not say how pixels become input, or has more outputs
            than a byte can number.
    """
    if model.num_classes > 256:
        raise SegmodelsError(
            f"predict returns uint8 labels, but the model has {model.num_classes} outputs; take "
            f"the argmax of predict_views instead."
        )
    size = (image.shape[0], image.shape[1])
    views = image_views(model, image, protocol)
    if len(protocol.scales) == 1 and not protocol.flip:
        # With one view softmax cannot change the winner, so its rounding is left out.
        (view,) = views
        winner = view_logits(model, view, size, protocol).argmax(dim=0)
    else:
        winner = predict_views(model, views, size, protocol).argmax(dim=0)
    return np.asarray(winner.to(torch.uint8).cpu().numpy(), dtype=np.uint8)


def image_views(model: SegModel, image: Pixels, protocol: Protocol) -> Iterator[View]:
    """The resized, normalised and mirrored inputs a protocol asks for, each (1, 3, h, w)."""
    if model.preprocessing is None:
        raise SegmodelsError(
            f"{type(model).__name__} carries no preprocessing: set model.preprocessing to the "
            f"channel order and statistics its weights were trained with."
        )
    device = next(model.parameters()).device
    for scale in protocol.scales:
        height, width = view_size(image.shape[0], image.shape[1], protocol, scale)
        pixels = model.preprocessing.apply(resize(image, height, width))
        view = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device)
        yield view, None
        if protocol.flip:
            yield view.flip(_MIRRORED_AXIS["horizontal"]), "horizontal"


def predict_views(
    model: SegModel, views: Iterable[View], size: tuple[int, int], protocol: Protocol
) -> Tensor:
    """Average class probabilities over prepared views.

    Args:
        model: a network in eval mode.
        views: pairs of a float tensor (1, 3, h, w), already resized, normalised and
            mirrored, and how it was mirrored (None, "horizontal" or "vertical").
        size: height and width of the result.
        protocol: gives window, stride and whether small views are enlarged.

    Returns:
        float (num_classes, H, W), sums to 1 over classes.
    """
    total: Tensor | None = None
    number = 0
    for view in views:
        probabilities = view_logits(model, view, size, protocol).softmax(dim=0)
        total = probabilities if total is None else total.add_(probabilities)
        number += 1
    if total is None:
        raise SegmodelsError("predict_views was given no view.")
    return total.div_(number)


def view_logits(model: SegModel, view: View, size: tuple[int, int], protocol: Protocol) -> Tensor:
    """Logits (num_classes, H, W) of one view, resized to the image and mirrored back."""
    with torch.inference_mode():
        return _view_logits(model, view, size, protocol)


def _view_logits(model: SegModel, view: View, size: tuple[int, int], protocol: Protocol) -> Tensor:
    pixels, mirrored = view
    if protocol.window is None or protocol.stride is None:
        logits: Tensor = model(pixels)
    else:
        if protocol.enlarge:
            pixels = _enlarged(pixels, protocol.window)
        logits = slide_logits(model, pixels, protocol.window, protocol.stride)
    if tuple(logits.shape[-2:]) != size:
        logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    if mirrored is not None:
        if mirrored not in _MIRRORED_AXIS:
            known = ", ".join(map(repr, _MIRRORED_AXIS))
            raise SegmodelsError(f"a view is mirrored None, {known}, not {mirrored!r}.")
        logits = logits.flip(_MIRRORED_AXIS[mirrored])
    return logits[0]


def slide_logits(model: SegModel, pixels: Tensor, window: Sides, stride: Sides) -> Tensor:
    """Logits (1, C, h, w) of (1, 3, h, w), averaged where windows overlap."""
    height, width = pixels.shape[-2:]
    (tall, wide), (down, right) = _pair(window), _pair(stride)
    total = pixels.new_zeros(1, model.num_classes, height, width)
    seen = pixels.new_zeros(1, 1, height, width)
    corners = [
        (top, left)
        for top in window_origins(height, tall, down)
        for left in window_origins(width, wide, right)
    ]
    for batch in _batches(corners, _WINDOW_BATCH):
        crops = [pixels[0, :, y : y + tall, x : x + wide] for y, x in batch]
        for (y, x), logits in zip(batch, model(torch.stack(crops)), strict=True):
            total[0, :, y : y + tall, x : x + wide] += logits
            seen[0, :, y : y + tall, x : x + wide] += 1
    return total.div_(seen)


def window_origins(length: int, window: int, stride: int) -> list[int]:
    """Where windows start along one side: every stride, the last one shifted inward so that
    it ends with the image; one window at 0 when the image is not longer than it.
    """
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def _pair(sides: Sides) -> tuple[int, int]:
    return (sides, sides) if isinstance(sides, int) else sides


def _batches(items: Sequence[tuple[int, int]], size: int) -> Iterator[Sequence[tuple[int, int]]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _enlarged(pixels: Tensor, window: int) -> Tensor:
    height, width = pixels.shape[-2:]
    if min(height, width) >= window:
        return pixels
    # The ratio first, as the official code does: 512 * w / h can round to another integer.
    longer = int(max(height, width) / min(height, width) * window)
    size = (window, longer) if height < width else (longer, window)
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
