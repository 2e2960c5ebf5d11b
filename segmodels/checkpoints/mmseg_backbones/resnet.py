"""ResNet-V1c: timm has mmsegmentation's names except in the stem of three convolutions."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

#: Prefixes, the first that fits counts: both stems number convolutions, norms and ReLUs
#: alike, but the last norm has a name of its own in timm.
PREFIXES = {"backbone.stem.7.": "backbone.bn1.", "backbone.stem.": "backbone.conv1."}


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under our names."""
    return {_rename(key): tensor for key, tensor in tensors.items()}


def _rename(key: str) -> str:
    for theirs, ours in PREFIXES.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key
