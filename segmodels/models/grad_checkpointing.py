"""Trading time for memory in training (Chen et al., arXiv 1604.06174)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def run(block: nn.Module, *inputs: Any, checkpointing: bool) -> Any:
    """What the block returns; if asked, its insides are computed again in the backward pass."""
    if checkpointing and torch.is_grad_enabled():
        return checkpoint(block, *inputs, use_reentrant=False)
    return block(*inputs)
