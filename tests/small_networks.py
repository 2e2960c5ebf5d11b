"""Networks whose logits are compared with those of their authors' code."""

from __future__ import annotations

import torch
from reference_weights import images, tensor
from torch import Tensor

from segmodels.models.base import SegModel

#: By name: outputs, and sizes of images.
CASES = {
    "enet_davidtvs": (12, [(64, 96), (72, 120)]),
    "dabnet": (11, [(64, 96), (72, 120)]),
    "ddrnet23_slim": (7, [(64, 96), (72, 120)]),
    "bisenet_resnet18": (7, [(64, 96), (96, 160)]),
    "gscnn": (7, [(64, 96), (75, 61)]),
}

#: What makes those narrow that would take a gigabyte.
NARROW: dict[str, dict[str, int]] = {"gscnn": {"width": 8}}

#: CBT is compared by its decoder alone, on the tokens of a square grid of so many rows.
CBT_NAME, GRID = "cbt_vit_tiny_patch16", 13


def tokens(width: int) -> Tensor:
    """Tokens (1, GRID * GRID, width), double."""
    values = images((1, 1, GRID * GRID, width))[0]
    return torch.from_numpy(values).double()


def drawn(model: SegModel) -> SegModel:
    """The same network with weights drawn by their names, in double precision, for evaluation."""
    state = {k: torch.from_numpy(tensor(k, v.shape)) for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    return model.double().eval()
