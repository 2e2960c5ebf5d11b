"""Stochastic depth (Huang et al., ECCV 2016, arXiv 1603.09382) and its usual schedule."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drop a residual branch for whole samples during training, and scale up the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out; the first dimension counts samples."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return x * (torch.rand(shape, device=x.device) < keep).to(x.dtype) / keep


def schedule(rate: float, blocks: int) -> list[float]:
    """Rates that grow linearly from 0 in the first block to ``rate`` in the last."""
    return [rate * index / max(blocks - 1, 1) for index in range(blocks)]
