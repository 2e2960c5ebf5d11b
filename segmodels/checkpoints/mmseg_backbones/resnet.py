"""ResNet-V1c: timm has mmsegmentation's names except in the stem of three convolutions."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from segmodels.checkpoints.mmseg_backbones import replaced

#: Prefixes, the first that fits counts: both stems number convolutions, norms and ReLUs
#: alike, but the last norm has a name of its own in timm.
PREFIXES = {"backbone.stem.7.": "backbone.bn1.", "backbone.stem.": "backbone.conv1."}


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under our names."""
    return {replaced(key, PREFIXES): tensor for key, tensor in tensors.items()}
