"""What an attack makes larger: how wrong the labels of an image are, as a number with a gradient.

Each loss takes the scores (C, N) of the N pixels that have a class, those classes (N,), and how far
the attack has come, from 0 at its first step to just below 1 at its last. Each is divided by N,
whichever pixels it looks at. To add one: a function here, and a line in `LOSSES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor, float], Tensor]


def cross_entropy(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Mean over all pixels. Of pixels that are wrong already its gradient is the largest."""
    del progress
    return _each(scores, label).mean()


def masked_cross_entropy(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Of pixels that are still right alone (Croce et al., arXiv 2306.12941, Mask-CE)."""
    del progress
    return (_each(scores, label) * _right(scores, label)).mean()


def balanced_cross_entropy(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Right pixels weigh 1 - w and wrong ones w, where w grows from 0 to 1/2.

    SegPGD's (Gu et al., ECCV 2022, arXiv 2207.12391): w = (t - 1) / (2 T) at step t of T.
    """
    wrong = progress / 2
    weight = wrong + (1 - 2 * wrong) * _right(scores, label).to(scores.dtype)
    return (_each(scores, label) * weight).mean()


def jensen_shannon(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Divergence of the probabilities and the label (Croce et al., arXiv 2306.12941, JS).

    It is at most log 2 a pixel, and its gradient vanishes where a pixel is wrong for good. With p
    the probability of the right class it is log 2 + (p log p - (1 + p) log (1 + p)) / 2.
    """
    del progress
    logs = -_each(scores, label)
    share = logs.exp()
    divergence = math.log(2) + (share * logs - (1 + share) * torch.log1p(share)) / 2
    return divergence.mean()


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "masked_cross_entropy": masked_cross_entropy,
    "balanced_cross_entropy": balanced_cross_entropy,
    "jensen_shannon": jensen_shannon,
}


def _each(scores: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of every pixel, (N,)."""
    return F.cross_entropy(scores.T, label, reduction="none")


def _right(scores: Tensor, label: Tensor) -> Tensor:
    """Which pixels are right, bool (N,)."""
    return scores.detach().argmax(dim=0) == label
