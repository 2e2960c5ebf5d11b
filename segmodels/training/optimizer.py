"""The optimiser of a recipe, and which parameters decay."""

from __future__ import annotations

import torch

from segmodels.models.base import SegModel
from segmodels.training.recipe import Recipe


def build_optimizer(model: SegModel, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe; biases, norms and other vectors do not decay."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)
