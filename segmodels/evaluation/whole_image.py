"""One answer for each image: how classifiers are measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from segmodels.errors import SegmodelsError
from segmodels.evaluation.device import to_device
from segmodels.evaluation.prediction import Prediction, are_finite
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol


def answers(
    model: SegModel, inputs: Sequence[Iterable[Tensor]], protocol: Protocol
) -> list[Prediction]:
    """What a classifier says of some images, each seen alone: labels uint16 (1, 1).

    Args:
        model: in eval mode, in full precision.
        inputs: what `network_inputs` gives for each image.
        protocol: one with `whole_image`.

    Raises:
        SegmodelsError: the network has no answer for a whole image.
    """
    classify = getattr(model, "classify", None)
    if classify is None:
        raise SegmodelsError(
            f"protocol {protocol.name!r} wants one answer for an image, and {type(model).__name__} "
            f"labels pixels. Networks that answer: 'mit_*', 'vit_*' and 'deit_*' of list_models."
        )
    device = next(model.parameters()).device
    found = []
    for (pixels,) in map(tuple, inputs):
        scores: Tensor = classify(to_device(pixels, device)[None])
        labels = scores.argmax(dim=1, keepdim=True).to(torch.uint16)
        found.append(Prediction(labels, are_finite(scores)))
    return found
