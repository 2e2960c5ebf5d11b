"""The optimiser of a recipe, and its groups of parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule

#: Key of a group of the optimiser: the factor on the learning rate.
FACTOR = "lr_factor"


class Treatment(NamedTuple):
    """What a recipe does to a parameter.

    Attributes:
        lr: factor on the learning rate.
        weight_decay: of the parameter.
    """

    lr: float
    weight_decay: float


def treatments(model: nn.Module, recipe: Recipe) -> Iterator[tuple[str, Treatment]]:
    """Every parameter that is trained, by its name in our network, and what is done to it."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield name, treatment(name, parameter, recipe)


def treatment(name: str, parameter: Tensor, recipe: Recipe) -> Treatment:
    """What the first rule of a recipe that fits a parameter says, or the recipe for all others."""
    rule = next((rule for rule in recipe.groups if rule.fits(name, parameter)), None)
    if rule is None:
        return Treatment(1, recipe.weight_decay)
    decay = recipe.weight_decay if rule.weight_decay is None else rule.weight_decay
    return Treatment(rule.lr, decay)


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe; parameters that are treated alike make one group.

    A frozen parameter is in none: it is neither moved nor decayed, like one without a gradient.
    """
    parameters = dict(model.named_parameters())
    alike: dict[Treatment, list[nn.Parameter]] = defaultdict(list)
    for name, one in treatments(model, recipe):
        alike[one].append(parameters[name])
    groups = [
        {"params": together, "weight_decay": one.weight_decay, FACTOR: one.lr}
        for one, together in alike.items()
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov
        )
    return torch.optim.AdamW(
        groups, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, fused=recipe.fused
    )


def set_learning_rates(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    """Give every group of the optimiser the learning rate that a step's update uses."""
    for group in optimizer.param_groups:
        group["lr"] = schedule.lr(step, group[FACTOR])
