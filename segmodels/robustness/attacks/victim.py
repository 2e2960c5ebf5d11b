"""The network under attack, looking at one image through a protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from segmodels.core.arrays import Pixels
from segmodels.evaluation.device import to_device
from segmodels.evaluation.geometry import decided_at
from segmodels.evaluation.gradients import pixel_gradient, traced_scores
from segmodels.evaluation.prediction import are_finite, check_finite
from segmodels.evaluation.reference import nearest
from segmodels.evaluation.views import network_inputs
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.attacks.losses import Loss, right


@dataclass(frozen=True)
class Look:
    """What one look at an image tells an attack.

    Attributes:
        right: how many pixels that have a class are given it.
        loss: as it was asked for.
        gradient: of that loss, float32 (H, W, 3), per grey level.
    """

    right: int
    loss: float
    gradient: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Victim:
    """A network, in eval mode and full precision, that an image is changed against.

    Where a protocol decides labels at another size than that of the image, the true ones are
    brought to it by nearest neighbour.

    Attributes:
        model: the network.
        protocol: how it looks at images.
        label: uint8 (H, W), classes or `VOID`; pixels of the latter count for nothing.
    """

    model: SegModel
    protocol: Protocol
    label: Pixels

    def look(self, image: Pixels, loss: Loss, progress: float) -> Look:
        """Scores of the image and the gradient of a loss of them.

        Raises:
            NotFiniteError: the scores are not finite.
        """
        inputs = [one.requires_grad_() for one in self._inputs(image)]
        with torch.enable_grad():
            scores, label = self._scored(image, inputs)
            value = loss(scores, label, progress)
        gradients = torch.autograd.grad(value, inputs)
        assert self.model.preprocessing is not None
        gradient = pixel_gradient(self.model.preprocessing, image, gradients, self.protocol)
        return Look(int(right(scores, label).sum()), float(value.detach()), gradient)

    def right(self, image: Pixels) -> int:
        """How many pixels of the image that have a class are given it."""
        with torch.no_grad():
            return int(right(*self._scored(image, self._inputs(image))).sum())

    def _inputs(self, image: Pixels) -> list[Tensor]:
        device = next(self.model.parameters()).device
        return [to_device(one, device) for one in network_inputs(self.model, image, self.protocol)]

    def _scored(self, image: Pixels, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Scores (C, N) and labels (N,) of all pixels."""
        size = decided_at(image, self.protocol)
        scores = traced_scores(self.model, inputs, size, self.protocol).flatten(1).contiguous()
        check_finite(bool(are_finite(scores)))
        label = to_device(nearest(self.label, *size), scores.device).long()
        return scores, label.flatten()


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No parameter asks for a gradient in the block, so that nothing is kept in memory for it."""
    asking = [one for one in model.parameters() if one.requires_grad]
    for one in asking:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in asking:
            one.requires_grad_()
