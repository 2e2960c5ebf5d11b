"""Disturbed weights: zero-mean normal noise on every parameter.

DEPICT shows mIoU over the noise level sigma (README of github.com/QishuaiWen/DEPICT,
"Parameter robustness"). No code for it is published; which tensors are disturbed and whether
sigma is absolute is not documented. Here it is absolute and falls on all floating-point
parameters.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch

from segmodels.evaluation.subject import Subject


def apply(subject: Subject, condition: dict[str, Any]) -> Subject:
    """A copy of the model with `N(0, sigma²)` added to each parameter, from a seed."""
    model = copy.deepcopy(subject.model)
    random = torch.Generator().manual_seed(int(condition["seed"]))
    sigma = float(condition["parameter_noise"])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                noise = torch.randn(parameter.shape, generator=random)
                parameter.add_(noise.to(parameter), alpha=sigma)
    return dataclasses.replace(subject, model=model, condition=condition)
