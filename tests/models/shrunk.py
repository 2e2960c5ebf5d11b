"""Every registered model, made small where its config lets us: fewer blocks, same wiring."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields
from typing import Any

import pytest
import torch

from segmodels.models import create_model, list_models
from segmodels.models.base import SegModel
from segmodels.models.registry import (
    CCNET,
    DILATEDNET,
    ENCNET,
    FCN8S,
    FCN_HRNET,
    GSCNN,
    ICNET,
    MMSEG_UNET,
    MODELS,
    OCRNET,
    RELEASED_ICNET,
    RESNET38,
    XCEPTION,
)

CLASSES = 6

#: Values for fields that decide how much there is of the same.
FEWER: dict[str, Any] = {
    "image_size": 64,
    "layers": 2,
    "outputs": (1, 2),
    "decoder_layers": 1,
    "cross_layers": 1,
    "imagenet_classes": 10,
    "drop_path": 0.2,
    "channels": 64,
    "psp_channels": 32,
    "ocr_channels": 16,
    "mla_channels": 16,
    "encoder_side": 64,
    "filters": 4,
    "growth": 4,
    "down": (2, 2, 2),
    "middle": 2,
    "slimmer": 8,
    "representatives": 3,
    "base": 4,
    "m": 2,
    "n": 2,
}
#: Backbones with fewest blocks, where others of the family are tested on larger ones.
SMALLEST = {
    CCNET: "mobilenetv2_100",
    ENCNET: "mobilenetv2_100",
    ICNET: "resnet50c",
    FCN_HRNET: "hrnet_w18_small",
    OCRNET: "hrnet_w18_small",
    XCEPTION: "xception41",
}

#: Depth of each stage; a Swin needs two blocks for its two kinds of windows.
STAGES = {"upernet": (2, 2, 2, 2)}

#: One name for every way the code can go: what differs within a family other than by size.
ALIKE = re.compile(
    "segmenter_vit_(small|base|large)|cbt_vit_(small|base|large)|(segmenter_)?deit_(small|base)|depict_.*_vit_(tiny|small|base|large)"
    "|(mmseg_)?segformer_(nano|b[1-5]|resnext101)|mit_b[1-5]|vit_(tiny|small|base|large)_patch(8|32)"
    "|vit_(small|base|large)|.*resnet101|fcn_resnet50|pspnet_mobilenetv2|deeplabv3_resnet50|upernet_swin_[sbl]"
    "|espnet_p2_q[58]|espnetv2_s[12]_.*|dicenet_s(0_[57].*|1_.*)"
    "|deeplabv3plus_xception(65|71)|ocrnet_hrnetw(18|48)$|fcn_hrnet_w(18|48)$|autodeeplab_f(32|48)_"
)
VARIANTS = [name for name in list_models() if not ALIKE.match(name)]
VARIANTS += ["depict_ca_vit_tiny_patch16"]

#: One name for every class, for what takes seconds.
FAMILIES = sorted({MODELS[name].builder: name for name in VARIANTS}.values())

#: One of each way to build a network; the others take long to export, and have no
#: operation that these lack.
_QUICK = re.compile("segmenter_|depict_|segformer_b0|unet|espnet_p|fcn_mobilenetv2")


def patient(names: list[str], quick: re.Pattern[str] = _QUICK) -> list[Any]:
    """The names as parameters of a test that compiles or exports; most of them are `slow`."""
    return [one if quick.match(one) else pytest.param(one, marks=pytest.mark.slow) for one in names]


def overrides(name: str) -> dict[str, Any]:
    """What makes a model small."""
    entry = MODELS[name]
    module, _, attribute = entry.builder.partition(":")
    config = getattr(importlib.import_module(module), attribute).Config
    known = {field.name: field.default for field in fields(config)} | dict(entry.defaults)
    found = {key: FEWER[key] for key in FEWER.keys() & known.keys() if known[key] != 0}
    found |= {"backbone": SMALLEST[entry.builder]} if entry.builder in SMALLEST else {}
    if entry.builder in (FCN8S, DILATEDNET, RELEASED_ICNET, RESNET38, GSCNN, MMSEG_UNET):
        found["width"] = 32 if entry.builder in (FCN8S, DILATEDNET) else 8
    if "width" in known and "heads" in known:  # as many heads as published, of fewer channels
        heads = known["heads"]
        found["width"] = 16 * heads if isinstance(heads, int) else 8 * heads[0]
    if name.startswith("setr_mla"):  # four maps are merged
        found |= {"layers": 4, "outputs": (1, 2, 3, 4)}
    if "depths" in known:
        found["depths"] = STAGES.get(name.partition("_")[0], (1, 1, 1, 1))
    return found


def distinct() -> list[str]:
    """Every registered name but those that are, once small, what another is already."""
    seen: dict[str, str] = {}
    for name in list_models():
        entry = MODELS[name]
        arguments = {**entry.defaults, **overrides(name)}
        seen.setdefault(repr((entry.builder, sorted(arguments.items()), entry.preprocessing)), name)
    return list(seen.values())


def build(name: str) -> SegModel:
    """The model with few blocks and seeded weights, in training mode."""
    torch.manual_seed(0)
    return create_model(name, CLASSES, **overrides(name))


def images(batch: int = 2, height: int = 61, width: int = 83) -> torch.Tensor:
    """Normalised images of an awkward size, always the same."""
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(3))
