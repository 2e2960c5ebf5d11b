"""SegFormer as NVlabs released it: a dictionary of ``meta`` and ``state_dict``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from segmodels.checkpoints.mmseg_config import Described
from segmodels.checkpoints.source import Source
from segmodels.checkpoints.states import tensors_of
from segmodels.checkpoints.strict import build, count, shape
from segmodels.models.base import SegModel
from segmodels.models.mit import STAGES
from segmodels.models.preprocessing import IMAGENET
from segmodels.models.registry import MODELS

#: Built by mmseg's base class of all heads and never used by SegFormer's.
UNUSED = ("decode_head.conv_seg.weight", "decode_head.conv_seg.bias")


def recognises(source: Source) -> bool:
    """A file whose tensors are those of a MiT, with or without meta data around them."""
    return "backbone.patch_embed1.proj.weight" in source.names


def load(source: Source) -> SegModel:
    """Read the file; class names and pixels come from its meta data if they are there."""
    path, meta = source.path, source.content.get("meta")
    described = Described(path, meta if isinstance(meta, Mapping) else {})
    described.check()
    tensors = tensors_of(path, source.state)
    tensors = {key: value for key, value in tensors.items() if key not in UNUSED}
    model = build(path, config_of(path, tensors), tensors)
    described.check_model(model.config)
    model.preprocessing = described.preprocessing or IMAGENET
    model.class_names = described.class_names(model.num_classes)
    return model


def config_of(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Size of the network from the shapes of its tensors, under the official names."""
    encoder = encoder_of(path, tensors)
    fuse = shape(path, tensors, "decode_head.linear_fuse.conv.weight", 4)
    num_classes = shape(path, tensors, "decode_head.linear_pred.weight", 4)[0]
    name = name_of("segformer", encoder["widths"], encoder["depths"])
    return {"name": name, "num_classes": num_classes, **encoder, "decoder_width": fuse[0]}


def encoder_of(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Size of the MiT below ``backbone.``."""
    widths = [shape(path, tensors, f"backbone.norm{n}.weight", 1)[0] for n in STAGES]
    depths = [count(tensors, f"backbone.block{n}.") for n in STAGES]
    reductions = [_reduction(tensors, n) for n in STAGES]
    hidden = shape(path, tensors, "backbone.block1.0.mlp.fc1.weight", 2)[0]
    return {
        "widths": widths,
        "depths": depths,
        "reductions": reductions,
        "expansion": hidden // widths[0],
    }


def name_of(family: str, widths: list[int], depths: list[int]) -> str:
    """The registered network of these widths and depths; B0 with overrides if there is none."""
    for name, entry in MODELS.items():
        sizes = entry.defaults.get("widths"), entry.defaults.get("depths")
        if name.startswith(f"{family}_") and sizes == (tuple(widths), tuple(depths)):
            return name
    return f"{family}_b0"


def _reduction(tensors: Mapping[str, Tensor], stage: int) -> int:
    kernel = tensors.get(f"backbone.block{stage}.0.attn.sr.weight")
    return 1 if kernel is None else kernel.shape[-1]
