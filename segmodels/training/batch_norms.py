"""Batch norms of a training: over how many images they take their statistics."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segmodels.errors import SegmodelsError


class Grouped(_BatchNorm):
    """A batch norm that takes statistics over so many images, as one device of several would.

    Of a batch in G groups the k-th holds the images k, k + G, k + 2 G …, so that processes which
    deal out a batch one image after the other have whole groups. Running statistics are those of
    the first group, as those of the first device are what comes out of a training on several.
    Made by `group_batch_norms` out of a batch norm that is there.

    Attributes:
        images: of a group.
    """

    images: int

    def forward(self, input: Tensor, *more: Any) -> Tensor:
        """Normalise float (B, C, H, W), and what the batch norm does besides."""
        groups = len(input) // self.images if self.training else 1
        first: Tensor = super().forward(input[0::groups] if groups > 1 else input, *more)
        if groups < 2:
            return first
        self.track_running_stats = False
        try:
            others = [super(Grouped, self).forward(input[k::groups]) for k in range(1, groups)]
        finally:
            self.track_running_stats = True
        # A copy, because what FSDP2 wraps may not return a view.
        return torch.stack([first, *others], dim=1).flatten(0, 1).clone()


@cache
def _grouped(kind: type[_BatchNorm]) -> type[Grouped]:
    return type(f"Grouped{kind.__name__}", (Grouped, kind), {})


def has_batch_norms(model: nn.Module) -> bool:
    """Whether what a network computes of an image in training depends on the others."""
    return any(isinstance(one, _BatchNorm) for one in model.modules())


def are_grouped(model: nn.Module) -> bool:
    """Whether the statistics of its batch norms are those of groups of images."""
    return any(isinstance(one, Grouped) for one in model.modules())


def group_batch_norms(model: nn.Module, images: int) -> None:
    """Let every batch norm of a network take its statistics over so many images.

    Raises:
        SegmodelsError: it has none, or one without running statistics.
    """
    norms = [pair for pair in model.named_modules() if isinstance(pair[1], _BatchNorm)]
    if not norms:
        raise SegmodelsError("it has no batch norms.")
    for name, norm in norms:
        if not norm.track_running_stats:
            raise SegmodelsError(f"its {name!r} keeps no running statistics.")
        # The same parameters, buffers and hooks.
        norm.__class__ = _grouped(type(norm))  # type: ignore[arg-type]
        assert isinstance(norm, Grouped)
        norm.images = images


def statistics(model: nn.Module) -> list[Tensor]:
    """Running means and variances of all batch norms, float (C,) each."""
    norms = (one for one in model.modules() if isinstance(one, _BatchNorm))
    found = (getattr(one, name) for one in norms for name in ("running_mean", "running_var"))
    return [one for one in found if one is not None]
