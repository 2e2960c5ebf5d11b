"""Networks of the papers in small under their own names, and ImageNet weights for them.

Names, arguments that runs override, formats and code are those of the full networks; what is small
is the number of channels and blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_backbones import Tensors, mobilenet, swin_of_its_authors

from segmodels.checkpoints import save_checkpoint
from segmodels.models import create_model
from segmodels.models.registry import (
    AUTODEEPLAB,
    CCNET,
    DEEPLABV3PLUS,
    DEPICT,
    DILATEDNET,
    ENCNET,
    FCN,
    FCN8S,
    FCN_HRNET,
    GSCNN,
    ICNET,
    MIT_CLASSIFIER,
    MMSEG_SEGFORMER,
    MMSEG_UNET,
    MODELS,
    OCRNET,
    PSPNET,
    RELEASED_ICNET,
    RESNET38,
    SEGFORMER,
    SEGFORMER_RESNET,
    SEGMENTER,
    SETR,
    UPERNET,
    VIT_CLASSIFIER,
    XCEPTION,
)

_VIT: dict[str, Any] = {"width": 16, "layers": 4, "heads": 2}
_MIT: dict[str, Any] = {"widths": (8, 8, 16, 16), "depths": (1, 1, 1, 1), "heads": (1, 1, 2, 2)}

#: What is small about each architecture.
SMALL: dict[str, dict[str, Any]] = {
    SEGMENTER: {**_VIT, "imagenet_classes": 0},
    DEPICT: {**_VIT, "imagenet_classes": 0, "decoder_dim_head": 8},
    VIT_CLASSIFIER: _VIT,
    SETR: {**_VIT, "outputs": (1, 2, 3, 4), "channels": 8, "mla_channels": 8},
    SEGFORMER: {**_MIT, "decoder_width": 16},
    MMSEG_SEGFORMER: {**_MIT, "channels": 16},
    MIT_CLASSIFIER: _MIT,
    UPERNET: {"depths": (1, 1, 1, 1), "width": 8, "heads": (1, 1, 2, 2), "channels": 8},
    SEGFORMER_RESNET: {"backbone": "mobilenetv2_100", "decoder_width": 8},
    FCN: {"backbone": "mobilenetv2_100", "channels": 8},
    PSPNET: {"backbone": "mobilenetv2_100", "channels": 8},
    DEEPLABV3PLUS: {"backbone": "mobilenetv2_100", "channels": 8},
    ENCNET: {"backbone": "mobilenetv2_100", "channels": 8},
    CCNET: {"backbone": "mobilenetv2_100", "channels": 8},
    ICNET: {"psp_channels": 8, "channels": 8},
    OCRNET: {"backbone": "hrnet_w18_small", "channels": 8, "ocr_channels": 8},
    FCN_HRNET: {"backbone": "hrnet_w18_small"},
    FCN8S: {"base": 4, "width": 8},
    DILATEDNET: {"base": 4, "width": 8},
    RELEASED_ICNET: {"width": 4},
    RESNET38: {"width": 4, "channels": 8},
    GSCNN: {"width": 8, "channels": 8},
    AUTODEEPLAB: {"filters": 2, "channels": 8},
    XCEPTION: {"backbone": "xception41", "channels": 8, "fine_channels": 8},
    MMSEG_UNET: {"width": 4, "channels": 8},
}


def shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name of the registry build its network in small."""
    for name, entry in MODELS.items():
        small = replace(entry, defaults={**entry.defaults, **SMALL.get(entry.builder, {})})
        monkeypatch.setitem(MODELS, name, small)


def write_weights(model: str, classes: int, folder: Path, **overrides: Any) -> list[str]:
    """A drawn network of a name as ``save_checkpoint`` writes it, or the backbone of one that has
    no classifier here in the file of its authors; names of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    network = create_model(model, classes, **overrides)
    if (rename := _BACKBONES.get(MODELS[model].builder)) and classes == IMAGENET_CLASSES:
        tensors = network.state_dict()
        bare = {k.removeprefix("backbone."): v for k, v in tensors.items() if "backbone." in k}
        torch.save({"state_dict": rename(bare)}, folder / "backbone.pth")
        return ["backbone.pth"]
    save_checkpoint(network, folder)
    return sorted(path.name for path in folder.iterdir())


IMAGENET_CLASSES = 1000


_BACKBONES: dict[str, Callable[[Tensors], Tensors]] = {
    UPERNET: swin_of_its_authors,
    FCN: mobilenet,
    PSPNET: mobilenet,
    DEEPLABV3PLUS: mobilenet,
}
