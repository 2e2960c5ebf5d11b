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

from segmodels.errors import SegmodelsError
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

    def __post_init__(self) -> None:
        self._check_groups()
        parts, processes = self.recipe.accumulate, self.processes.count
        uneven = self.recipe.epochs is not None or self.recipe.batch % (parts * processes)
        if parts > 1 and processes > 1 and uneven:
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: 'accumulate' of {parts} in {processes} processes "
                f"needs 'steps' and a 'batch' that both divide, so that all have as many parts."
            )

    def _check_groups(self) -> None:
        images, processes = self.recipe.batch_norm_images, self.processes.count
        if images is not None and self.recipe.batch % (images * processes):
            raise SegmodelsError(
                f"recipe {self.recipe.name!r}: 'batch_norm_images' of {images} in {processes} "
                f"processes needs a 'batch' of {images * processes}, or a multiple of it."
            )

    @cached_property
    def _heads(self) -> Heads:
        return self.processes.heads(self.model, self._compiled if self.recipe.compile else None)

    def _compiled(self, heads: Heads) -> Heads:
        from segmodels.training.compiled import Compiled  # and PyTorch's compiler

        return Compiled(heads, self.recipe.name)

    def __call__(self, images: Tensor, labels: Tensor) -> Outcome:
        """Change the weights.

        Args:
            images: float (B, 3, H, W), normalised.
            labels: int64 (B, H, W).
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        pixels = self.processes.added(self.loss.pixels(labels))
        number = self.recipe.accumulate
        parts = zip(images.chunk(number), labels.chunk(number), strict=True)
        losses = torch.stack([self._added(one, known, pixels) for one, known in parts])
        norm = self._limit()
        self.optimizer.step()
        if self.recipe.batch_norm_images is not None:
            self.processes.take_statistics_of_first(self.model)
        return Outcome(losses.sum(0), norm)

    def _added(self, images: Tensor, labels: Tensor, pixels: Tensor) -> Tensor:
        """Add the gradient of a part of the batch; returns its loss of every head."""
        losses = torch.stack(list(self.losses(images, labels, pixels)))
        (losses.sum() * self.processes.count).backward()  # type: ignore[no-untyped-call]
        return losses.detach()

    def _logits(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """Logits of every head, and its weight.

        Raises:
            SegmodelsError: images that the network cannot digest, or too few for its BatchNorms.
        """
        self.model.check(images)
        half = self.recipe.precision == "bf16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            return self._heads(images)

    def _limit(self) -> Tensor:
        """Shorten the gradient to the recipe's limit; returns its length before."""
        clip, parameters = self.recipe.clip, list(self.model.parameters())
        gradients = [one.grad for one in parameters if one.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        norm = self.processes.put_together(norm)
        if clip is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        return norm

    def losses(
        self, images: Tensor, labels: Tensor, pixels: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Loss of every head times its weight, that of the main head first.

        Args:
            images: of the batch, or of a part of it.
            labels: of the same.
            pixels: what the losses of the whole batch are divided by (`Loss.pixels`), where this
                is a part.
        """
        if pixels is None:
            pixels = self.processes.added(self.loss.pixels(labels))
        (main, weight), *others = self._logits(images)
        fixed = self.recipe.auxiliary_weight
        heads = [(main, weight), *((one, own if fixed is None else fixed) for one, own in others)]
        resized = self.model.upsampled_size(*labels.shape[-2:]), self.model.align_corners
        for logits, share in heads:
            yield share * mean_loss(self.loss(logits, labels, *resized), pixels)
