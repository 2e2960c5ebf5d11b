"""ViT: mmsegmentation builds it from mmcv's parts; ours has the names of timm."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from segmodels.checkpoints.mmseg_backbones import replaced

#: Beginnings of names below ``backbone.``; the first that fits counts.
PREFIXES = {"patch_embed.projection.": "patch_embed.proj.", "ln1.": "norm."}

LAYER = re.compile(r"layers\.(\d+)\.(.+)")

#: The same below ``layers.N.``; the attention is PyTorch's own inside mmcv's.
PARTS = {
    "ln1.": "norm1.",
    "ln2.": "norm2.",
    "attn.attn.in_proj_": "attn.qkv.",
    "attn.attn.out_proj.": "attn.proj.",
    "ffn.layers.0.0.": "mlp.fc1.",
    "ffn.layers.1.": "mlp.fc2.",
}


def renamed(tensors: Mapping[str, Tensor], encoder: str = "backbone") -> dict[str, Tensor]:
    """The same tensors under our names.

    Args:
        tensors: a state dict of mmsegmentation; what is not below ``backbone.`` is passed on.
        encoder: what the ViT is called in our network.
    """
    return {_rename(key, encoder): tensor for key, tensor in tensors.items()}


def _rename(key: str, encoder: str) -> str:
    if not key.startswith("backbone."):
        return key
    name = key.removeprefix("backbone.")
    layer = LAYER.fullmatch(name)
    if layer is None:
        return f"{encoder}.{replaced(name, PREFIXES)}"
    return f"{encoder}.blocks.{layer[1]}.{replaced(layer[2], PARTS)}"
