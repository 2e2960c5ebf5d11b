"""The loss over labelled pixels, and the weights of its classes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from segmodels.core.arrays import VOID
from segmodels.training.job import Job
from segmodels.training.recipe import LossMean

#: What mmsegmentation 1.x adds to the number of pixels, in every precision.
EPSILON = torch.finfo(torch.float32).eps


def pixel_loss(logits: Tensor, labels: Tensor, weight: Tensor, mean: LossMean = "valid") -> Tensor:
    """Mean over labelled pixels, or over all; 0 for a batch that holds no labelled one.

    Args:
        logits: (B, C, H, W).
        labels: (B, H, W), `VOID` where there is no label.
        weight: (C,) of the classes.
        mean: over `valid` pixels, by the weights of their classes; or over `all` or `mmseg`, void
            ones counting 0 (`segmodels.training.recipe`).
    """
    weight = weight.to(logits.dtype)
    if mean != "valid":
        total = F.cross_entropy(logits, labels, weight, ignore_index=VOID, reduction="sum")
        return total / (labels.numel() + (EPSILON if mean == "mmseg" else 0))
    if not weight[labels[labels != VOID]].any():
        return logits.sum() * 0
    return F.cross_entropy(logits, labels, weight=weight, ignore_index=VOID)


def class_weights(job: Job) -> Tensor:
    """float (outputs,): the weight of each class in the loss, as the recipe balances them."""
    names = job.train.class_names
    if job.recipe.balance == "none":
        return torch.ones(len(names))
    counted = np.array([job.pixels[name] for name in names], dtype=np.float64)
    frequency = counted / counted.sum()
    if job.recipe.balance == "log":
        weights = 1 / np.log(1.02 + frequency)
    else:
        weights = np.median(frequency[frequency > 0]) / np.maximum(frequency, 1e-12)
    return torch.tensor(np.where(frequency > 0, weights, 0.0), dtype=torch.float32)
