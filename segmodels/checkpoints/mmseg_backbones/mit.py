"""MiT: mmsegmentation nests stages as (patches, blocks, norm) and writes linear layers as 1x1."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from segmodels.checkpoints.mmseg_backbones import replaced

STAGE = re.compile(r"backbone\.layers\.(\d)\.(0|1\.\d+|2)\.(.+)")

#: Beginnings of names below the patches and below a block.
PATCHES = {"projection.": "proj."}
BLOCK = {
    "attn.attn.out_proj.": "attn.proj.",
    "ffn.layers.0.": "mlp.fc1.",
    "ffn.layers.1.": "mlp.dwconv.dwconv.",
    "ffn.layers.4.": "mlp.fc2.",
}
JOINED = "attn.attn.in_proj_"


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under our names; the query is parted from key and value."""
    ours: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        stage = STAGE.fullmatch(key)
        ours.update({key: tensor} if stage is None else _stage(tensor, *stage.groups()))
    return ours


def _stage(tensor: Tensor, index: str, part: str, name: str) -> dict[str, Tensor]:
    number = int(index) + 1
    if part == "0":
        return {f"backbone.patch_embed{number}.{replaced(name, PATCHES)}": tensor}
    if part == "2":
        return {f"backbone.norm{number}.{name}": tensor}
    return _block(f"backbone.block{number}.{part.removeprefix('1.')}", name, tensor)


def _block(prefix: str, name: str, tensor: Tensor) -> dict[str, Tensor]:
    if name.startswith(JOINED):
        kind, width = name.removeprefix(JOINED), len(tensor) // 3
        return {
            f"{prefix}.attn.q.{kind}": tensor[:width],
            f"{prefix}.attn.kv.{kind}": tensor[width:],
        }
    ours = replaced(name, BLOCK)
    is_linear = ours.startswith("mlp.fc") and tensor.shape[2:] == (1, 1)
    return {f"{prefix}.{ours}": tensor.flatten(1) if is_linear else tensor}
