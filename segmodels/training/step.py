"""One step of a training: forward, the loss of every head, backward, update.

Nothing here waits for the device: what came of a step stays there until somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from segmodels.models.base import SegModel
from segmodels.training.loss import Loss, mean_loss
from segmodels.training.processes import ALONE, Heads, Processes
from segmodels.training.recipe import Recipe


class Outcome(NamedTuple):
    """What came of a step, on the device.

    Attributes:
        losses: float (heads,): the loss of each head before the change, times its weight. Summed
            over heads and processes it is what is minimised.
        gradient_norm: float (): length of the gradient of all parameters before any limit.
    """

    losses: Tensor
    gradient_norm: Tensor


@dataclass(frozen=True)
class Step:
    """What every step of a training does.

    Attributes:
        model: the network; put in training mode at each step.
        optimizer: with the learning rates of the step.
        loss: of one head.
        recipe: precision, limit on gradients, weight of auxiliary heads.
        processes: that train this network together.
    """

    model: SegModel
    optimizer: torch.optim.Optimizer
    loss: Loss
    recipe: Recipe
    processes: Processes = ALONE

    @cached_property
    def _heads(self) -> Heads:
        return self.processes.heads(self.model)

    def __call__(self, images: Tensor, labels: Tensor) -> Outcome:
        """Change the weights.

        Args:
            images: float (B, 3, H, W), normalised.
            labels: int64 (B, H, W).
        """
        self.model.train()
        losses = torch.stack(list(self.losses(images, labels)))
        self.optimizer.zero_grad(set_to_none=True)
        (losses.sum() * self.processes.count).backward()  # type: ignore[no-untyped-call]
        norm = self._limit()
        self.optimizer.step()
        return Outcome(losses.detach(), norm)

    def _limit(self) -> Tensor:
        """Shorten the gradient to the recipe's limit; returns its length before."""
        if self.recipe.clip is not None:
            return torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        return torch.nn.utils.get_total_norm(
            [one.grad for one in self.model.parameters() if one.grad is not None]
        )

    def losses(self, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """Loss of every head times its weight, that of the main head first."""
        self.model.check(images)
        half = self.recipe.precision == "bf16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            (main, weight), *others = self._heads(images)
        fixed = self.recipe.auxiliary_weight
        heads = [(main, weight), *((one, own if fixed is None else fixed) for one, own in others)]
        size = self.model.upsampled_size(*labels.shape[-2:])
        pixels = self.processes.added(self.loss.pixels(labels))
        for logits, share in heads:
            yield share * mean_loss(self.loss(logits, labels, size), pixels)
