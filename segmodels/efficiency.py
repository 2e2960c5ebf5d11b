"""What a model costs: parameters and floating-point operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn


@dataclass(frozen=True)
class Cost:
    """Size of a network.

    Attributes:
        parameters: number of all values that training or a checkpoint sets, unused heads
            included, as the papers count.
        macs: multiply-accumulates of one forward pass in the paper's form (a multiply and an
            add count as one, as the SegFormer paper counts; DEPICT's figure shows twice as
            much). Convolutions and matrix products count, attention's included; norms,
            activations and resizing do not.
        image_size: height and width it was counted for.
    """

    parameters: int
    macs: int
    image_size: tuple[int, int]


def cost(
    name: str,
    num_classes: int = 150,
    image_size: tuple[int, int] = (512, 512),
    **overrides: Any,
) -> Cost:
    """Count a model by name on the meta device: no memory, no arithmetic."""
    with Undrawn(), torch.device("meta"):
        model = create_model(name, num_classes, image_size, **overrides).eval()
        image = torch.empty(1, 3, *image_size)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(image)
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, counter.get_total_flops() // 2, image_size)
