"""Write ``mmseg_*.json``: logits of mmsegmentation's networks, which the tests compare with.

Not run by the tests. It needs mmsegmentation 1.2.2, mmengine 0.10 and mmcv 2.1 (mmcv-lite with
an empty ``mmcv._ext`` will do: none of these networks calls a compiled operator):

    PYTHONPATH=tests python tests/reference/make_mmseg.py [case ...]

A case is a published config, shrunk by overrides, and sizes of images. Everything runs in
double precision on weights rounded to single precision.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mmseg
import numpy as np
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from reference_weights import images, is_counter, sampled, tensor

FOLDER = Path(__file__).parent
CONFIGS = Path(mmseg.__file__).parent / ".mim" / "configs"
CLASSES = 7
CLASS_COUNT = {"decode_head.num_classes": CLASSES}
HEAD = {**CLASS_COUNT, "decode_head.channels": 16}
CNN = {**HEAD, "auxiliary_head.num_classes": CLASSES}
ALIGNED = {"decode_head.align_corners": True, "auxiliary_head.align_corners": True}
WITH_BIAS = {"backbone.patch_bias": True}  # as version 0.x has it

#: Few layers, small sides and widths keep the files small; heads follow from the width.
VIT = {"backbone.num_layers": 3, "backbone.img_size": (64, 64)}
SEGMENTER = {**VIT, **CLASS_COUNT}
SETR_ENCODER = {
    **VIT,
    **HEAD,
    "backbone.embed_dims": 192,
    "backbone.num_heads": 3,
    "backbone.out_indices": (0, 2),
    "auxiliary_head": None,
}
SETR = {**SETR_ENCODER, "decode_head.in_channels": 192, "decode_head.in_index": 1}
HELPER = {
    "type": "SETRUPHead",
    "in_channels": 192,
    "in_index": 0,
    "channels": 16,
    "num_classes": CLASSES,
    "num_convs": 1,
    "up_scale": 4,
    "kernel_size": 1,
    "norm_cfg": {"type": "BN"},
}
MLA = {
    **SETR_ENCODER,
    "neck.in_channels": [192, 192],
    "neck.out_channels": 16,
    "decode_head.in_channels": (16, 16),
    "decode_head.in_index": (0, 1),
    "decode_head.mla_channels": 8,
}
SWIN = {
    **CNN,
    "backbone.embed_dims": 24,
    "backbone.depths": (1, 1, 2, 1),
    "backbone.num_heads": (1, 2, 4, 8),
    "backbone.window_size": 3,
    "decode_head.in_channels": [24, 48, 96, 192],
    "auxiliary_head.in_channels": 96,
}

#: Sizes of the images: that of the position table and another; awkward ones.
TOKENS = [(64, 64), (80, 48)]
PADDED = [(64, 64), (70, 50)]
ODD = [(64, 48), (65, 97)]

MOBILE = "mobilenet_v2/mobilenet-v2-d8_"
SWIN_TINY = "swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k"

SEGFORMER = {
    **HEAD,
    "backbone.embed_dims": 8,
    "backbone.num_layers": (1, 1, 2, 1),
    "decode_head.in_channels": [8, 16, 40, 64],
}

#: Those of HRNet have the published widths, of which its smallest form has fewest blocks.
OCR_HEADS = {
    **{f"decode_head.{n}.num_classes": CLASSES for n in (0, 1)},
    "decode_head.1.channels": 16,
    "decode_head.1.ocr_channels": 8,
}
UNET = {
    **CNN,
    "backbone.base_channels": 4,
    "decode_head.in_channels": 4,
    "auxiliary_head.in_channels": 8,
    "auxiliary_head.channels": 16,
}
ICNET = {
    **HEAD,
    "backbone.light_branch_middle_channels": 8,
    "backbone.psp_out_channels": 16,
    "backbone.out_channels": (8, 16, 24),
    "neck.in_channels": (8, 16, 24),
    "neck.out_channels": 16,
    "decode_head.in_channels": 16,
    "auxiliary_head": None,
}

#: Published config on ADE20K at 512 x 512 unless it says otherwise, overrides, sizes.
CASES: dict[str, tuple[str, dict[str, Any], list[tuple[int, int]]]] = {
    "segmenter_mask": ("segmenter/segmenter_vit-t_mask_8xb1-160k", SEGMENTER, TOKENS),
    "segmenter_linear": (
        "segmenter/segmenter_vit-s_fcn_8xb1-160k",
        {**SEGMENTER, **WITH_BIAS},
        TOKENS,
    ),
    "setr_naive": ("setr/setr_vit-l_naive_8xb2-160k", {**SETR, "auxiliary_head": [HELPER]}, TOKENS),
    "setr_pup": ("setr/setr_vit-l_pup_8xb2-160k", {**SETR, **WITH_BIAS}, PADDED),
    "setr_mla": ("setr/setr_vit-l_mla_8xb2-160k", MLA, TOKENS),
    "segformer": ("segformer/segformer_mit-b0_8xb2-160k", SEGFORMER, ODD),
    "upernet_swin": (SWIN_TINY, SWIN, ODD),
    "encnet_resnet50": ("encnet/encnet_r50-d8_4xb4-160k", CNN, ODD),
    "ccnet_resnet50": ("ccnet/ccnet_r50-d8_4xb4-160k", CNN, ODD),
    "ocrnet_hrnetw18s": ("ocrnet/ocrnet_hr18s_4xb4-160k", OCR_HEADS, ODD),
    "icnet_resnet50": ("icnet/icnet_r50-d8_4xb2-160k_cityscapes-832x832", ICNET, ODD),
    "unet": ("unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024", UNET, [(64, 48), (32, 80)]),
    "fcn_resnet50": ("fcn/fcn_r50-d8_4xb4-160k", CNN, ODD),
    "fcn_mobilenetv2": (f"{MOBILE}fcn_4xb4-160k", CNN, ODD),
    "pspnet_mobilenetv2": (f"{MOBILE}pspnet_4xb4-160k", CNN, ODD),
    "deeplabv3_resnet50": ("deeplabv3/deeplabv3_r50-d8_4xb4-160k", CNN, ODD),
    "deeplabv3plus_mobilenetv2": (f"{MOBILE}deeplabv3plus_4xb4-160k", CNN, ODD),
    "fcn_hrnetw18s": ("hrnet/fcn_hr18s_4xb4-160k", CLASS_COUNT, ODD),
    "pspnet_aligned": (f"{MOBILE}pspnet_4xb4-160k", {**CNN, **ALIGNED}, ODD),
    "deeplabv3plus_aligned": (f"{MOBILE}deeplabv3plus_4xb4-160k", {**CNN, **ALIGNED}, ODD),
}


#: Cases whose tensors, or those of the backbone, stand in the file of another one.
SAME_TENSORS = {
    "fcn_hrnetw18s": "ocrnet_hrnetw18s",
    "pspnet_aligned": "pspnet_mobilenetv2",
    "deeplabv3plus_aligned": "deeplabv3plus_mobilenetv2",
}


def build(path: str, overrides: dict[str, Any]) -> tuple[torch.nn.Module, Config]:
    """The network of a config with overrides, in double precision, with the recipe's weights."""
    name = path if "cityscapes" in path else f"{path}_ade20k-512x512"
    config = Config.fromfile(CONFIGS / f"{name}.py")
    config.merge_from_dict({f"model.{name}": value for name, value in overrides.items()})
    config.model.pretrained = None
    _plain(config.model)
    model = MODELS.build(config.model).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if not is_counter(name):
                value.copy_(torch.from_numpy(tensor(name, value.shape)))
    return model.double(), config


def _plain(config: Any) -> None:
    """No weights from elsewhere, and BatchNorm of one process."""
    if isinstance(config, dict):
        config.pop("init_cfg", None)
        if isinstance(config.get("norm_cfg"), dict) and config["norm_cfg"]["type"] == "SyncBN":
            config["norm_cfg"]["type"] = "BN"
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, (dict, list, tuple)):
            _plain(value)


def logits(model: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """What the network says before any argmax, at the size of the images."""
    size = shape[-2:]
    meta = {"img_shape": size, "ori_shape": size, "pad_shape": size, "padding_size": [0] * 4}
    with torch.no_grad():
        given = torch.from_numpy(images(shape)).double()
        output: torch.Tensor = model.encode_decode(given, [meta] * shape[0])
    return output.numpy()


def write(name: str) -> None:
    """One case."""
    path, overrides, sizes = CASES[name]
    model, config = build(path, overrides)
    outputs = []
    for size in sizes:
        values = logits(model, (1, 3, *size))
        spread = values.std(axis=(2, 3)).mean()
        assert spread > 0.05, f"{name}: the logits hardly depend on the image ({spread:.3f})"
        outputs.append({"size": size, "logits": [float(f"{v:.9g}") for v in sampled(values)]})
    case = {
        "versions": {"mmsegmentation": mmseg.__version__, "torch": torch.__version__},
        "config": path,
        "config_text": _excerpt(config),
        "num_classes": CLASSES,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "outputs": outputs,
        "tensors": {key: list(value.shape) for key, value in model.state_dict().items()},
    }
    if name in SAME_TENSORS:
        shared = json.loads((FOLDER / f"mmseg_{SAME_TENSORS[name]}.json").read_text())["tensors"]
        own = {key: one for key, one in case["tensors"].items() if one != shared.get(key)}
        case |= {"tensors": own, "tensors_of": SAME_TENSORS[name]}
    text = json.dumps(case, separators=(",", ":"))
    (FOLDER / f"mmseg_{name}.json").write_text(text.replace('],"', '],\n"') + "\n")
    print(f"{name}: {len(text)} bytes, {case['parameters']} parameters")


def _excerpt(config: Config) -> str:
    """The lines of the config that checkpoints carry and that tensors do not show."""
    pixels = config.model.data_preprocessor
    values = {
        "out_indices": config.model.backbone.get("out_indices"),
        "mean": pixels.mean,
        "std": pixels.std,
        "bgr_to_rgb": pixels.bgr_to_rgb,
    }
    lines = [f"{name}={value}\n" for name, value in values.items()]
    head = config.model.decode_head
    if isinstance(head, dict) and head.align_corners:
        lines.append("align_corners=True\n")
    return "".join(lines)


if __name__ == "__main__":
    register_all_modules()
    for case in sys.argv[1:] or CASES:
        write(case)
