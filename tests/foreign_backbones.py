"""Our backbones under the names of files that others publish."""

from __future__ import annotations

import re

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def swin_of_its_authors(tensors: Tensors) -> Tensors:
    bare = {key: value for key, value in tensors.items() if not re.match(r"norm\d", key)}
    index = {"layers.0.blocks.0.attn.relative_position_index": torch.zeros(49, 49).long()}
    return {**bare, **index, "norm.weight": torch.ones(3), "head.weight": torch.ones(3, 3)}


def mobilenet(tensors: Tensors) -> Tensors:
    parts = {"conv_dw": "0.conv", "conv_pw": "1.conv", "bn1": "0.bn", "bn2": "1.bn"}
    others = {
        **{"conv_pw": "0.conv", "conv_dw": "1.conv", "conv_pwl": "2.conv"},
        **{"bn1": "0.bn", "bn2": "1.bn", "bn3": "2.bn"},
    }
    found = {"backbone.conv2.conv.weight": torch.ones(2), "head.fc.weight": torch.ones(2)}
    for key, value in tensors.items():
        block = re.fullmatch(r"blocks\.(\d)\.(\d)\.(\w+)\.(.+)", key)
        if block is None:
            name = key.replace("conv_stem.", "conv1.conv.").replace("bn1.", "conv1.bn.")
        else:
            stage, number, part, rest = block.groups()
            new = (parts if stage == "0" else others)[part]
            name = f"layer{int(stage) + 1}.{number}.conv.{new}.{rest}"
        found[f"backbone.{name}"] = value
    return found
