"""Swin: mmsegmentation has names of its own and another order of merged patches.

Swin's authors published their segmentation networks in their own fork of mmsegmentation; those
have our names and our order already, and lose only what can be computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from segmodels.checkpoints.mmseg_backbones import replaced

PREFIXES = {"backbone.patch_embed.projection.": "backbone.patch_embed.proj."}
STAGE = re.compile(r"backbone\.stages\.(\d+)\.(.+)")
BLOCK = re.compile(r"(blocks\.\d+)\.(.+)")
PARTS = {"attn.w_msa.": "attn.", "ffn.layers.0.0.": "mlp.fc1.", "ffn.layers.1.": "mlp.fc2."}

#: Computed from the size of the window.
INDEX = ".relative_position_index"


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under our names, patch merging in our order."""
    learned = {key: tensor for key, tensor in tensors.items() if not key.endswith(INDEX)}
    return dict(_converted(key, tensor) for key, tensor in learned.items())


def _converted(key: str, tensor: Tensor) -> tuple[str, Tensor]:
    stage = STAGE.fullmatch(key)
    if stage is None:
        return replaced(key, PREFIXES), tensor
    name = stage[2]
    merging = name.startswith("downsample.")
    return f"backbone.layers.{stage[1]}.{_part(name)}", reordered(tensor) if merging else tensor


def _part(name: str) -> str:
    block = BLOCK.fullmatch(name)
    if block is None:
        return name
    return f"{block[1]}.{replaced(block[2], PARTS)}"


def reordered(tensor: Tensor) -> Tensor:
    """The inputs of a patch merging, the last dimension, in our order.

    Theirs counts channels first, then rows, then columns of the 2 x 2 patches (``unfold``);
    ours columns first, then rows, then channels.
    """
    parts = tensor.reshape(*tensor.shape[:-1], -1, 2, 2)
    return parts.movedim(-1, -3).transpose(-1, -2).reshape(tensor.shape)
