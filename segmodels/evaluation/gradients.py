"""How the scores of a protocol change with the pixels of an image: the reference path, traced.

Forward it is that path itself, with its resize, normalisation, windows and views. Backward, two of
its steps are taken as if they did not round: the resize of uint8 pixels, whose results are whole
numbers, and the normalisation. Both are linear otherwise, so that nothing of the image enters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.evaluation.reference import traced_logits
from segmodels.evaluation.resize import view_sizes
from segmodels.evaluation.views import mirrored_views
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import Preprocessing
from segmodels.protocols.protocol import Protocol

#: Where a probability is 0 in float32, its logarithm is that of the smallest one.
_SMALLEST = float(np.finfo(np.float32).tiny)


def traced_scores(
    model: SegModel, inputs: Sequence[Tensor], size: tuple[int, int], protocol: Protocol
) -> Tensor:
    """What labels are the argmax of, with the gradients of the inputs.

    Args:
        model: in eval mode, in full precision.
        inputs: what `network_inputs` gives for an image, float (3, h, w), on the model's device.
        size: height and width at which labels are decided.
        protocol: how the network looks at an image.

    Returns:
        float (num_classes, H, W): logits, of which a softmax over classes gives probabilities. Of
        several views whose probabilities are averaged it is the logarithm of the mean.
    """
    views = [
        traced_logits(model, view, size, protocol)
        for view in mirrored_views(model, inputs, protocol)
    ]
    if len(views) == 1:
        return views[0]
    if protocol.average == "logits":
        return torch.stack(views).mean(dim=0)
    mean = torch.stack([view.softmax(dim=0) for view in views]).mean(dim=0)
    return mean.clamp(min=_SMALLEST).log()


def pixel_gradient(
    preprocessing: Preprocessing,
    image: Pixels,
    gradients: Sequence[Tensor],
    protocol: Protocol,
) -> npt.NDArray[np.float32]:
    """The gradient of the pixels from those of the inputs that were made of them.

    Args:
        preprocessing: of the network.
        image: uint8 (H, W, 3), RGB, of which only the size matters.
        gradients: of each of `network_inputs`, float (3, h, w).
        protocol: how pixels are resized.

    Returns:
        float32 (H, W, 3), RGB, per grey level.
    """
    if protocol.statistics_order == "reversed":
        preprocessing = preprocessing.with_reversed_statistics()
    height, width = image.shape[:2]
    total = sum(
        _unresized((height, width), *pair, protocol) for pair in _scaled(gradients, protocol)
    )
    assert isinstance(total, Tensor)
    per_level = total.cpu().numpy().transpose(1, 2, 0)
    per_level = per_level / (np.array(preprocessing.std, np.float32) * preprocessing.divisor)
    ordered = per_level if preprocessing.channels == "RGB" else per_level[:, :, ::-1]
    return np.ascontiguousarray(ordered, dtype=np.float32)


def _scaled(gradients: Sequence[Tensor], protocol: Protocol) -> Iterator[tuple[Tensor, float]]:
    return zip(gradients, protocol.scales, strict=True)


def _unresized(size: tuple[int, int], gradient: Tensor, scale: float, protocol: Protocol) -> Tensor:
    """The gradient (3, h, w) of one view at the size of the image, (3, H, W)."""
    antialias = protocol.resize_library in ("pillow", "torch")
    pixels = gradient.new_zeros(1, 3, *size).requires_grad_()
    with torch.enable_grad():
        view = pixels
        for target in view_sizes(*size, protocol, scale):
            if tuple(view.shape[-2:]) != target:
                view = F.interpolate(
                    view, size=target, mode="bilinear", align_corners=False, antialias=antialias
                )
    (found,) = torch.autograd.grad(view, pixels, gradient[None])
    return found[0]
