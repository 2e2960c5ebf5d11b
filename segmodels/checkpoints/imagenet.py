"""ImageNet weights of a bare MiT or ViT, whatever file they came from.

``load_checkpoint`` makes a classifier of them; ``load_backbone`` fills an encoder with them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from segmodels.checkpoints.strict import build, count, shape
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.models.mit import STAGES
from segmodels.models.preprocessing import Preprocessing
from segmodels.models.registry import MODELS, VITS

#: A tensor that only a bare MiT has, and one that only a bare ViT has.
MIT_MARK, VIT_MARKS = "patch_embed1.proj.weight", {"cls_token", "patch_embed.proj.weight"}

#: Attention heads of each published ViT by its width; a state dict does not say them.
HEADS: dict[int, int] = {size["width"]: size["heads"] for size, _ in VITS.values()}


@dataclass(frozen=True)
class ImageNet:
    """Tensors of one network under the names of our ``MiT`` or ``ViT``, and its ``head``.

    Attributes:
        heads: attention heads of a ViT, where the file says them.
        preprocessing: None for that of the registered model.
        overrides: arguments of the network that this file's format fixes.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    heads: int | None = None
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] | None = None
    overrides: Mapping[str, Any] | None = None

    @property
    def is_mit(self) -> bool:
        """Whether it is a MiT; otherwise it is a ViT."""
        return MIT_MARK in self.tensors


def classifier(weights: ImageNet) -> SegModel:
    """The network that was trained on ImageNet, with every tensor from the file.

    Raises:
        SegmodelsError: the file has no classification head, or does not fit the network.
    """
    if "head.weight" not in weights.tensors:
        raise SegmodelsError(
            f"{weights.path} holds an encoder without its ImageNet head, so there is nothing to "
            f"predict with. To start a training from it: load_backbone(model, path)."
        )
    config = _mit(weights) if weights.is_mit else _vit(weights)
    body = "backbone." if weights.is_mit else "encoder."
    tensors = {
        key if key.startswith("head") else body + key: value
        for key, value in weights.tensors.items()
    }
    model = build(weights.path, {**config, **(weights.overrides or {})}, tensors)
    model.preprocessing = weights.preprocessing or model.preprocessing
    names = weights.class_names
    model.class_names = names if names and len(names) == model.num_classes else None
    return model


def grid_of(weights: ImageNet) -> tuple[int, int]:
    """Rows and columns of a ViT's position table; ImageNet's are square."""
    tokens = shape(weights.path, weights.tensors, "pos_embed", 3)[1]
    side = square(weights.path, tokens, extra=2 if "dist_token" in weights.tensors else 1)
    return side, side


def square(path: Path, tokens: int, extra: int) -> int:
    """Side of the square grid behind the extra tokens of a position table.

    Raises:
        SegmodelsError: it is no square.
    """
    side = math.isqrt(max(tokens - extra, 0))
    if side < 1 or side * side != tokens - extra:
        raise SegmodelsError(
            f"{path}: 'pos_embed' has {tokens} rows, which is no square grid behind {extra} "
            f"extra; this kind of ViT is not known here."
        )
    return side


def heads_of(path: Path, width: int) -> int:
    """Attention heads of a published ViT.

    Raises:
        SegmodelsError: none has that width.
    """
    if width not in HEADS:
        known = ", ".join(map(str, sorted(HEADS)))
        raise SegmodelsError(
            f"{path} holds a ViT of width {width}, and the number of its attention heads is in "
            f"no tensor. Known widths: {known}."
        )
    return HEADS[width]


def _vit(weights: ImageNet) -> dict[str, Any]:
    path, tensors = weights.path, weights.tensors
    width, _, patch_size, _ = shape(path, tensors, "patch_embed.proj.weight", 4)
    config = {
        "num_classes": shape(path, tensors, "head.weight", 2)[0],
        "image_size": [patch_size * side for side in grid_of(weights)],
        "patch_size": patch_size,
        "width": width,
        "layers": count(tensors, "blocks."),
        "heads": weights.heads or heads_of(path, width),
        "distilled": "dist_token" in tensors,
    }
    return {"name": nearest(("vit_", "deit_"), config), **config}


def _mit(weights: ImageNet) -> dict[str, Any]:
    path, tensors = weights.path, weights.tensors
    widths = [shape(path, tensors, f"norm{n}.weight", 1)[0] for n in STAGES]
    hidden = shape(path, tensors, "block1.0.mlp.fc1.weight", 2)[0]
    depths = [count(tensors, f"block{n}.") for n in STAGES]
    sizes = {"widths": tuple(widths), "depths": tuple(depths)}
    return {
        "name": nearest(("mit_",), sizes),
        "num_classes": shape(path, tensors, "head.weight", 2)[0],
        "widths": widths,
        "depths": depths,
        "reductions": [_reduction(tensors, n) for n in STAGES],
        "expansion": hidden // widths[0],
    }


def nearest(prefixes: tuple[str, ...], config: Mapping[str, Any]) -> str:
    """The registered name whose defaults agree most with a config; the first of equals."""

    def agreement(name: str) -> int:
        defaults = {"distilled": False, **MODELS[name].defaults}
        return sum(config.get(key) == value for key, value in defaults.items())

    return max((name for name in MODELS if name.startswith(prefixes)), key=agreement)


def _reduction(tensors: Mapping[str, Tensor], stage: int) -> int:
    kernel = tensors.get(f"block{stage}.0.attn.sr.weight")
    return 1 if kernel is None else kernel.shape[-1]
