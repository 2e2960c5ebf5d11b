"""The loss over labelled pixels, and the weights of its classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segmodels.core.arrays import VOID
from segmodels.errors import SegmodelsError
from segmodels.training.job import Job
from segmodels.training.recipe import LossMean
from segmodels.training.strips import pixel_losses

#: What mmsegmentation 1.x adds to the number of pixels, in every precision.
EPSILON = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Loss:
    """Cross-entropy of one head over the pixels of a batch.

    Attributes:
        weight: float (C,) of the classes, where the logits are.
        mean: over `valid` pixels, by the weights of their classes; or over `all` or `mmseg`, void
            ones counting 0 (`segmodels.training.recipe`).
    """

    weight: Tensor
    mean: LossMean = "valid"

    def __call__(
        self,
        logits: Tensor,
        labels: Tensor,
        upsampled: tuple[int, int],
        align_corners: bool = False,
    ) -> Tensor:
        """Summed loss of low-resolution logits; divided by `pixels` it is the mean.

        Args:
            logits: (B, C, h, w); what autocast gave in half precision is taken as float32.
            labels: int64 (B, H, W), `VOID` where there is no label.
            upsampled: size to which logits are resized before they are cut to H x W.
            align_corners: how (`SegModel.align_corners`).
        """
        if logits.dtype == torch.bfloat16:
            logits = logits.float()
        return pixel_losses(logits, labels, self.weight.to(logits.dtype), upsampled, align_corners)

    def pixels(self, labels: Tensor) -> Tensor:
        """float64 scalar: what the summed loss of a batch is divided by, 0 if there is nothing."""
        if self.mean != "valid":
            number = labels.numel() + (EPSILON if self.mean == "mmseg" else 0)
            return torch.full((), number, dtype=torch.float64, device=labels.device)
        known = labels != VOID
        shares = self.weight[torch.where(known, labels, 0)]
        return torch.where(known, shares, 0).sum(dtype=torch.float64)


def mean_loss(total: Tensor, pixels: Tensor) -> Tensor:
    """A summed loss over what it is divided by; 0 where no pixel counts, and so is the sum."""
    return total / torch.where(pixels > 0, pixels, 1).to(total.dtype)


def class_weights(job: Job) -> Tensor:
    """float (outputs,): the weight of each class in the loss, as the recipe balances them.

    Raises:
        SegmodelsError: no pixel of the training images has a label.
    """
    names = job.train.class_names
    if not any(job.pixels[name] for name in names):
        raise SegmodelsError(
            f"run {job.run!r}: no pixel of split 'train' of {job.train.name!r} has a label, so "
            f"nothing can be learnt. Look at its label files: segmodels data check {job.train.name}"
        )
    if job.recipe.balance == "none":
        return torch.ones(len(names))
    counted = np.array([job.pixels[name] for name in names], dtype=np.float64)
    frequency = counted / counted.sum()
    if job.recipe.balance == "log":
        weights = 1 / np.log(1.02 + frequency)
    else:
        weights = np.median(frequency[frequency > 0]) / np.maximum(frequency, 1e-12)
    return torch.tensor(np.where(frequency > 0, weights, 0.0), dtype=torch.float32)
