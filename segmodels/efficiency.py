"""What a model costs: parameters and floating-point operations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from segmodels.models import create_model


@dataclass(frozen=True)
class Cost:
    """Size of a network.

    Attributes:
        parameters: number of trainable values.
        macs: multiply-accumulates of one forward pass (a multiply and an add count as one,
            as the SegFormer paper counts; DEPICT's figure shows twice as much). Of the network
            as it runs here: SegFormer's merged decoder needs half of what B0's paper prints.
        image_size: height and width it was counted for.
    """

    parameters: int
    macs: int
    image_size: tuple[int, int]


def cost(name: str, num_classes: int = 150, image_size: tuple[int, int] = (512, 512)) -> Cost:
    """Count a model by name on the meta device: no memory, no arithmetic."""
    with torch.device("meta"):
        model = create_model(name, num_classes=num_classes, image_size=image_size).eval()
        image = torch.empty(1, 3, *image_size)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(image)
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Cost(parameters, counter.get_total_flops() // 2, image_size)
