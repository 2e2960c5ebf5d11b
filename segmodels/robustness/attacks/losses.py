"""What an attack makes larger: how wrong the labels of an image are, as a number with a gradient.

Each loss takes the scores (C, N) of all N pixels, their classes (N,) with `VOID` where there is
none, and how far the attack has come, from 0 at its first step to just below 1 at its last. Each is
a sum over pixels that have a class, divided by their number, whichever of them it looks at. To add
one: a function here, and a line in `LOSSES`.

Pixels without a class stay among the scores until the sum: taking them out of C scores, and putting
their gradients back, would take longer than a small network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from segmodels.core.arrays import VOID

Loss = Callable[[Tensor, Tensor, float], Tensor]


def cross_entropy(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Mean over all pixels. Of pixels that are wrong already its gradient is the largest."""
    del progress
    return _mean(_each(scores, label), label)


def masked_cross_entropy(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Of pixels that are still right alone (Croce et al., arXiv 2306.12941, Mask-CE)."""
    del progress
    return _mean(_each(scores, label) * right(scores, label), label)


def balanced_cross_entropy(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Right pixels weigh 1 - w and wrong ones w, where w grows from 0 to 1/2.

    SegPGD's (Gu et al., ECCV 2022, arXiv 2207.12391): w = (t - 1) / (2 T) at step t of T.
    """
    wrong = progress / 2
    weight = wrong + (1 - 2 * wrong) * right(scores, label).to(scores.dtype)
    return _mean(_each(scores, label) * weight, label)


def jensen_shannon(scores: Tensor, label: Tensor, progress: float) -> Tensor:
    """Divergence of the probabilities and the label (Croce et al., arXiv 2306.12941, JS).

    It is at most log 2 a pixel, and its gradient vanishes where a pixel is wrong for good. With p
    the probability of the right class it is log 2 + (p log p - (1 + p) log (1 + p)) / 2.
    """
    del progress
    logs = -_each(scores, label)
    share = logs.exp()
    divergence = math.log(2) + (share * logs - (1 + share) * torch.log1p(share)) / 2
    return _mean(divergence, label)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "masked_cross_entropy": masked_cross_entropy,
    "balanced_cross_entropy": balanced_cross_entropy,
    "jensen_shannon": jensen_shannon,
}


def right(scores: Tensor, label: Tensor) -> Tensor:
    """Which pixels have a class that is their argmax, bool (N,): the first of equal scores wins."""
    scores = scores.detach()
    best = scores.amax(dim=0)
    if int(torch.count_nonzero(scores == best)) > len(best):  # an argmax takes ten times as long
        return scores.argmax(dim=0) == label
    own = scores.gather(0, label.clamp(max=len(scores) - 1)[None])[0]
    return (own == best) & (label != VOID)


def _each(scores: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of every pixel, (N,); 0 where there is no class."""
    # As (1, C, N), where memory holds the pixels of a class side by side: five times as fast on a
    # processor as (N, C), and the same to the bit.
    return F.cross_entropy(scores[None], label[None], ignore_index=VOID, reduction="none")[0]


def _mean(each: Tensor, label: Tensor) -> Tensor:
    """Over the pixels that have a class; 0 where none has."""
    known = label != VOID
    return torch.where(known, each, 0).sum() / known.sum().clamp(min=1)
