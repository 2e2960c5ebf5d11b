"""The input of a network that an analysis looks at: one view of an image, whole or one window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from segmodels.core.arrays import Pixels
from segmodels.evaluation.device import to_device
from segmodels.evaluation.geometry import fitted
from segmodels.evaluation.views import network_inputs
from segmodels.models.base import SegModel
from segmodels.models.preprocessing import Preprocessing
from segmodels.protocols.protocol import Protocol, pair


def analysed_input(model: SegModel, image: Pixels, protocol: Protocol) -> Tensor:
    """The first view of a protocol, (1, 3, h, w), on the network's device.

    Of a protocol that slides a window it is the window in the middle: no pass sees more.
    """
    device = next(model.parameters()).device
    first = next(iter(network_inputs(model, image, protocol)))
    view, _ = fitted(to_device(first, device)[None], protocol)
    if protocol.window is None:
        return view
    return _middle(view, *pair(protocol.window))


def of_one_size(inputs: Sequence[Tensor]) -> list[Tensor]:
    """The middle of each input (1, 3, h, w), as high and wide as all of them are."""
    tall, wide = (min(one.shape[side] for one in inputs) for side in (-2, -1))
    return [_middle(one, tall, wide) for one in inputs]


def _middle(pixels: Tensor, tall: int, wide: int) -> Tensor:
    height, width = pixels.shape[-2:]
    top, left = max(height - tall, 0) // 2, max(width - wide, 0) // 2
    return pixels[..., top : top + tall, left : left + wide]


def shown(pixels: Tensor, preprocessing: Preprocessing) -> Pixels:
    """The picture that an input (1, 3, h, w) is of, uint8 (h, w, 3), RGB."""
    values = pixels[0].detach().cpu().numpy().transpose(1, 2, 0).astype(np.float64)
    values = values * preprocessing.divisor * np.array(preprocessing.std)
    levels = np.clip(np.round(values + np.array(preprocessing.mean)), 0, 255).astype(np.uint8)
    return levels if preprocessing.channels == "RGB" else np.ascontiguousarray(levels[:, :, ::-1])
