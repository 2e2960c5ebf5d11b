"""MobileNetV2: mmsegmentation numbers the convolutions of a block, timm names them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from segmodels.checkpoints.mmseg_backbones import replaced

PREFIXES = {"backbone.conv1.conv.": "backbone.conv_stem.", "backbone.conv1.bn.": "backbone.bn1."}
BLOCK = re.compile(r"backbone\.layer(\d+)\.(\d+)\.conv\.(\d)\.(conv|bn)\.(.+)")

#: In the order in which a block applies them. The first stage does not expand its input.
PARTS = ("conv_pw", "conv_dw", "conv_pwl")
PARTS_OF_FIRST_STAGE = ("conv_dw", "conv_pw")


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under our names."""
    return {_rename(key): tensor for key, tensor in tensors.items()}


def _rename(key: str) -> str:
    found = BLOCK.fullmatch(key)
    return replaced(key, PREFIXES) if found is None else _block(*found.groups())


def _block(layer: str, index: str, part: str, kind: str, rest: str) -> str:
    stage, number = int(layer) - 1, int(part)
    parts = PARTS if stage else PARTS_OF_FIRST_STAGE
    name = parts[number] if kind == "conv" else f"bn{number + 1}"
    return f"backbone.blocks.{stage}.{index}.{name}.{rest}"
