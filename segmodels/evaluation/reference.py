"""From one image to one label map, exactly as a protocol says: the reference path.

Order of operations (Segmenter `segm.eval.miou`, SegFormer's mmseg fork; they agree): every
view gives logits, a sliding window's logits are averaged where windows overlap, logits are
resized to the image, mirrored back, soft-maxed over classes; probabilities are averaged over
views; the label is their argmax. Where a port does something else, its protocol says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmodels.core.arguments import rgb, whole, wrong
from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError
from segmodels.evaluation.geometry import (
    MIRRORED_DIM,
    View,
    check_mirrored,
    check_once,
    decided_at,
    fitted,
    window_origins,
)
from segmodels.evaluation.precision import evaluating, inference, lowres_logits
from segmodels.evaluation.prediction import Prediction, are_finite
from segmodels.evaluation.views import image_views
from segmodels.models.base import SegModel, network
from segmodels.protocols.protocol import Precision, Protocol, Sides, pair
from segmodels.protocols.reading import protocol_of

#: Windows per forward pass; the result does not depend on it.
_WINDOW_BATCH = 4


def predict(model: SegModel, image: Pixels, protocol: Protocol | str) -> Pixels:
    """Label every pixel of one image.

    Args:
        model: a network that carries its preprocessing. It is asked in eval mode, whatever its
            mode is, and left as it was.
        image: uint8 (H, W, 3), RGB, or an RGB image of Pillow.
        protocol: how to look at it; a name, or what `load_protocol` gave.

    Returns:
        uint8 (H, W), the index of the winning output.

    Raises:
        SegmodelsError: an argument is of a wrong type; the model does not say how pixels become
            input, has more outputs than a byte can number, or gives scores that are not finite.
    """
    network(model)
    protocol = protocol_of(protocol)
    image = rgb("image", image)
    if protocol.whole_image:
        raise SegmodelsError(
            f"protocol {protocol.name!r} gives one answer for an image, and predict labels its "
            f"pixels: ask the network's `classify`."
        )
    return prediction(model, image, protocol).checked()


def prediction(model: SegModel, image: Pixels, protocol: Protocol) -> Prediction:
    """The labels of `predict`, and whether the scores that they rest on are finite.

    Raises:
        SegmodelsError: the model has more outputs than a byte can number.
    """
    if model.num_classes > 256:
        raise SegmodelsError(
            f"predict returns uint8 labels, but the model has {model.num_classes} outputs; take "
            f"the argmax of predict_views instead."
        )
    size = decided_at(image, protocol)
    views = image_views(model, image, protocol)
    if len(protocol.scales) == 1 and not protocol.flip:
        # With one view softmax cannot change the winner, so its rounding is left out.
        (view,) = views
        scores = view_logits(model, view, size, protocol)
    else:
        scores = predict_views(model, views, size, protocol)
    winner = scores.argmax(dim=0).to(torch.uint8).cpu().numpy()
    labels = nearest(winner, image.shape[0], image.shape[1])
    return Prediction(torch.from_numpy(labels), are_finite(scores))


def nearest(labels: Pixels, height: int, width: int) -> Pixels:
    """Labels (h, w) resized to (height, width) by nearest neighbour, as OpenCV does it."""
    if labels.shape == (height, width):
        return labels
    resized = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, dtype=np.uint8)


def predict_views(
    model: SegModel, views: Iterable[View], size: tuple[int, int], protocol: Protocol | str
) -> Tensor:
    """Average class probabilities over prepared views.

    Args:
        model: a network in eval mode.
        views: pairs of a float tensor (1, 3, h, w), already resized, normalised and
            mirrored, and how it was mirrored (None, "horizontal" or "vertical").
        size: height and width of the result.
        protocol: gives window, stride and everything else that follows the resize.

    Returns:
        float (num_classes, H, W), sums to 1 over classes; of averaged logits the softmax.

    Raises:
        SegmodelsError: an argument is of a wrong type, or there is no view.
    """
    network(model)
    protocol = protocol_of(protocol)
    size = _checked_size(size)
    total: Tensor | None = None
    number = 0
    if not isinstance(views, Iterable) or getattr(views, "ndim", None) == 0:
        raise wrong("views", "pairs of a tensor and how it is mirrored", views)
    for view in views:
        scores = view_logits(model, _checked_view(view), size, protocol)
        soft = protocol.average == "probabilities"
        scores = scores.softmax(dim=0) if soft else scores.clone()
        total = scores if total is None else total.add_(scores)
        number += 1
    if total is None:
        raise SegmodelsError("predict_views was given no view.")
    mean = total.div_(number)
    return mean if protocol.average == "probabilities" else mean.softmax(dim=0)


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(size, Sequence) or len(size) != 2:
        raise wrong("size", "height and width", size)
    height, width = (whole("size", side, 1) for side in size)
    return height, width


def _checked_view(view: View) -> View:
    pair = isinstance(view, tuple | list) and len(view) == 2 and isinstance(view[0], Tensor)
    if not pair or view[0].ndim != 4 or view[0].shape[:2] != (1, 3) or not view[0].numel():
        raise wrong("views", "pairs of a float tensor (1, 3, h, w) and how it is mirrored", view)
    if not view[0].is_floating_point():
        raise wrong("views", "float tensors", view[0])
    return view[0], view[1]


def view_logits(model: SegModel, view: View, size: tuple[int, int], protocol: Protocol) -> Tensor:
    """Logits (num_classes, H, W) of one view, resized to the image and mirrored back."""
    with inference(), evaluating(model):
        return traced_logits(model, view, size, protocol)


def traced_logits(model: SegModel, view: View, size: tuple[int, int], protocol: Protocol) -> Tensor:
    """`view_logits` where gradients may be wanted: mode and precision are the caller's affair."""
    pixels, mirrored = view
    check_mirrored(mirrored)
    logits = _input_logits(model, pixels, protocol)
    if tuple(logits.shape[-2:]) != size:
        logits = F.interpolate(
            logits, size=size, mode="bilinear", align_corners=model.align_corners
        )
    if mirrored is not None:
        logits = logits.flip(MIRRORED_DIM[mirrored])
    return logits.squeeze(0)  # backward this is a view, where an index is zeros and a copy


def _input_logits(model: SegModel, pixels: Tensor, protocol: Protocol) -> Tensor:
    """Logits (1, C, h, w) of one view, at its size or, to be enlarged once, at the network's."""
    if protocol.upsample_once:
        return _lowres_logits(model, pixels, protocol)
    pixels, (height, width) = fitted(pixels, protocol)
    if protocol.window is None or protocol.stride is None:
        logits = _logits(model, pixels, protocol.precision)
    else:
        logits = slide_logits(model, pixels, protocol.window, protocol.stride, protocol.precision)
    return logits[..., :height, :width]


def _logits(model: SegModel, images: Tensor, precision: Precision) -> Tensor:
    """Logits (B, C, h, w) at the size of the images; the upsampling is fp32 in any case."""
    if precision == "fp32":
        logits: Tensor = model(images)
        return logits
    model.check(images)
    return model.to_image(lowres_logits(model, images, precision), *images.shape[-2:])


def _lowres_logits(model: SegModel, pixels: Tensor, protocol: Protocol) -> Tensor:
    check_once(model, pixels, protocol)
    model.check(pixels)
    return lowres_logits(model, pixels, protocol.precision)


def slide_logits(
    model: SegModel, pixels: Tensor, window: Sides, stride: Sides, precision: Precision = "fp32"
) -> Tensor:
    """Logits (1, C, h, w) of (1, 3, h, w), averaged where windows overlap."""
    height, width = pixels.shape[-2:]
    (tall, wide), (down, right) = pair(window), pair(stride)
    total = pixels.new_zeros(1, model.num_classes, height, width)
    seen = pixels.new_zeros(1, 1, height, width)
    corners = [
        (top, left)
        for top in window_origins(height, tall, down)
        for left in window_origins(width, wide, right)
    ]
    for batch in _batches(corners, _WINDOW_BATCH):
        crops = [pixels[0, :, y : y + tall, x : x + wide] for y, x in batch]
        for (y, x), logits in zip(
            batch, _logits(model, torch.stack(crops), precision), strict=True
        ):
            total[0, :, y : y + tall, x : x + wide] += logits
            seen[0, :, y : y + tall, x : x + wide] += 1
    return total.div_(seen)


def _batches(items: Sequence[tuple[int, int]], size: int) -> Iterator[Sequence[tuple[int, int]]]:
    return (items[start : start + size] for start in range(0, len(items), size))
