"""Which network here a training config of mmsegmentation describes, if any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from segmodels.checkpoints.mmseg_fields import check_model
from segmodels.errors import SegmodelsError
from segmodels.models import class_of, list_models
from segmodels.models.registry import MITS, MODELS, SWINS, VITS

Values = Mapping[str, Any]

#: What a config says that the network of that name here does not have by itself.
Found = tuple[str, dict[str, Any]]


#: Architectures that can resize with aligned corners here.
_ALIGNED = frozenset(("fcn", "pspnet", "deeplabv3", "deeplabv3plus", "encnet", "ccnet"))


class NotHereError(Exception):
    """No network here computes what a config describes; says why in a few words."""


def network_of(model: Values, num_classes: int) -> Found:
    """Name of the network of a config, and the arguments by which it differs from its name's.

    Args:
        model: the field of that name of a config.
        num_classes: of its dataset.

    Raises:
        NotHereError: none here is the same; every field of the config is compared, as when a
            checkpoint with that config is loaded.
    """
    head, backbone = _part(model, "decode_head"), _part(model, "backbone")
    read = _HEADS.get(str(head.get("type")))
    if read is None:
        raise NotHereError(f"head {head.get('type')}")
    name, overrides = read(head, backbone)
    if name not in list_models():
        raise NotHereError(f"network {name}")
    if head.get("num_classes") != num_classes:
        raise NotHereError(f"{head.get('num_classes')} classes")
    arguments = {**MODELS[name].defaults, **_CONVERTED.get(name.partition("_")[0], {}), **overrides}
    try:
        config = class_of(name).Config(**{**arguments, "num_classes": num_classes}).described()
        check_model(Path("config"), model, {"name": name, **config})
    except SegmodelsError as error:
        raise NotHereError(_short(str(error))) from None
    return name, overrides


def _short(message: str) -> str:
    """The field that differs, of a message that begins with a file."""
    return message.partition("its config has ")[2].partition(";")[0] or message


def _part(model: Values, name: str) -> Values:
    """A part of the network; of several heads, the last, which gives the labels."""
    value = model.get(name)
    if isinstance(value, list):
        value = value[-1] if value else None
    return value if isinstance(value, Mapping) else {}


def _of(architecture: str) -> Callable[[Values, Values], Found]:
    """A network that is named by its architecture and a convolutional backbone."""

    def read(head: Values, backbone: Values) -> Found:
        kind = str(backbone.get("type"))
        depth = backbone.get("depth")
        names = {"ResNetV1c": f"resnet{depth}", "MobileNetV2": "mobilenetv2"}
        if kind not in names:
            raise NotHereError(f"backbone {kind}{f' {depth}' if depth else ''}")
        aligned = head.get("align_corners") is True and architecture in _ALIGNED
        return f"{architecture}_{names[kind]}", {"align_corners": True} if aligned else {}

    return read


def _fcn(head: Values, backbone: Values) -> Found:
    kind = backbone.get("type")
    if kind == "VisionTransformer":
        return _segmenter(head, backbone)
    if kind == "ICNet":
        return _of("icnet")(head, _part(backbone, "backbone_cfg"))
    if kind == "HRNet":
        return f"fcn_hrnet_{_hrnet(backbone)}", {}
    if kind == "UNet":
        return "mmseg_unet_s5_d16_fcn", {}
    return _of("fcn")(head, backbone)


def _ocrnet(head: Values, backbone: Values) -> Found:
    """OCRNet by its HRNet."""
    del head
    if backbone.get("type") != "HRNet":
        raise NotHereError(f"OCRNet on {backbone.get('type')}")
    return f"ocrnet_hrnet{_hrnet(backbone)}", {}


def _hrnet(backbone: Values) -> str:
    """An HRNet as the end of a name here: its width, and whether it is the small one."""
    stage = _part(_part(backbone, "extra"), "stage4")
    if not stage.get("num_channels"):
        raise NotHereError("an HRNet of no size")
    small = "s" if stage.get("num_blocks") == [2] * 4 else ""
    return f"w{stage['num_channels'][0]}{small}"


def _segmenter(head: Values, backbone: Values) -> Found:
    decoder = "mask" if head.get("type") == "SegmenterMaskTransformerHead" else "linear"
    sizes = {size["width"]: name for name, (size, _) in VITS.items() if "distilled" not in size}
    size, patch = sizes.get(backbone.get("embed_dims", 768)), backbone.get("patch_size", 16)
    if size is None:
        raise NotHereError(f"a ViT {backbone.get('embed_dims')} wide")
    return f"segmenter_{size}_patch{patch}_{decoder}", {}


def _setr(head: Values, backbone: Values) -> Found:
    del backbone
    if head.get("type") == "SETRMLAHead":
        return "setr_mla", {}
    return ("setr_naive" if head.get("num_convs") == 1 else "setr_pup"), {}


def _segformer(head: Values, backbone: Values) -> Found:
    del head
    for size, (widths, depths, _) in MITS.items():
        if (backbone.get("embed_dims"), backbone.get("num_layers")) == (widths[0], list(depths)):
            return f"mmseg_segformer_{size}", {}
    raise NotHereError(f"a MiT of {backbone.get('num_layers')} blocks")


def _upernet(head: Values, backbone: Values) -> Found:
    if backbone.get("type") != "SwinTransformer":
        return _of("upernet")(head, backbone)
    for size, (width, depths, _, window) in SWINS.items():
        if (backbone.get("embed_dims"), backbone.get("depths")) == (width, list(depths)):
            stated = backbone.get("window_size")
            return f"upernet_swin_{size}", {} if stated == window else {"window": stated}
    raise NotHereError(f"a Swin of {backbone.get('depths')} blocks")


_HEADS: Mapping[str, Callable[[Values, Values], Found]] = {
    "FCNHead": _fcn,
    "PSPHead": _of("pspnet"),
    "ASPPHead": _of("deeplabv3"),
    "DepthwiseSeparableASPPHead": _of("deeplabv3plus"),
    "EncHead": _of("encnet"),
    "CCHead": _of("ccnet"),
    "OCRHead": _ocrnet,
    "SegmenterMaskTransformerHead": _segmenter,
    "SETRUPHead": _setr,
    "SETRMLAHead": _setr,
    "SegformerHead": _segformer,
    "UPerHead": _upernet,
}

#: With what a checkpoint of these families is loaded that is not their own papers'.
_CONVERTED: Mapping[str, dict[str, Any]] = {
    "segmenter": {"norm_eps": 1e-6, "position_resize": "bicubic"},
    "setr": {"norm_eps": 1e-6},
}
