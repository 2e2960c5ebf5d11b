"""mmsegmentation's convolutional networks: sizes from shapes of tensors, and names of tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from segmodels.checkpoints.mmseg_backbones import mobilenet, resnet
from segmodels.checkpoints.mmseg_file import Config, File, Tensors
from segmodels.checkpoints.strict import count
from segmodels.errors import SegmodelsError

#: Blocks per stage of the ResNets that are known.
RESNETS = {(3, 4, 6, 3): "resnet50", (3, 4, 23, 3): "resnet101"}


def convolutional(name: str) -> Callable[[File], tuple[Config, Tensors]]:
    """A network of the family on a dilated ResNet-V1c or MobileNetV2."""

    def read(file: File) -> tuple[Config, Tensors]:
        kind, ours = _backbone(file)
        num_classes, channels, _, _ = file.shape("decode_head.conv_seg.weight", 4)
        config = {
            "name": f"{name}_{kind}",
            "num_classes": num_classes,
            "channels": channels,
            "auxiliary": file.auxiliary,
            "align_corners": file.described.align_corners,
        }
        fine = file.tensors.get("decode_head.c1_bottleneck.conv.weight")
        return config if fine is None else {**config, "fine_channels": len(fine)}, ours

    return read


def encnet_of(file: File) -> tuple[Config, Tensors]:
    """EncNet on a dilated ResNet-V1c."""
    config, ours = convolutional("encnet")(file)
    codes, _ = file.shape("decode_head.enc_module.encoding.0.codewords", 2)
    return {**config, "codes": codes}, ours


def ccnet_of(file: File) -> tuple[Config, Tensors]:
    """CCNet on a dilated ResNet-V1c; how often the attention is applied only the config says."""
    config, ours = convolutional("ccnet")(file)
    recurrence = file.described.head("recurrence")
    factors = {name: one.reshape(1) for name, one in ours.items() if name.endswith("gamma.scale")}
    ours |= factors  # scalars in their files
    return {**config, "recurrence": 2 if recurrence is None else recurrence}, ours


def ocrnet_of(file: File) -> tuple[Config, Tensors]:
    """OCRNet on HRNet, whose blocks and channels tell its size."""
    num_classes, channels, _, _ = file.shape("decode_head.1.conv_seg.weight", 4)
    query = "decode_head.1.object_context_block.query_project.0.conv.weight"
    return {
        "name": f"ocrnet_hrnet{_hrnet(file)}",
        "num_classes": num_classes,
        "channels": channels,
        "ocr_channels": file.shape(query, 4)[0],
    }, file.tensors


def fcn_hrnet_of(file: File) -> tuple[Config, Tensors]:
    """FCN's head on HRNet."""
    num_classes, _, _, _ = file.shape("decode_head.conv_seg.weight", 4)
    return {"name": f"fcn_hrnet_{_hrnet(file)}", "num_classes": num_classes}, file.tensors


def _hrnet(file: File) -> str:
    """Which HRNet it is, as the end of a name here."""
    width = file.shape("backbone.stage2.0.branches.0.0.conv1.weight", 4)[0]
    blocks = count(file.tensors, "backbone.stage2.0.branches.0.")
    sizes = {(18, 2): "w18s", (18, 4): "w18", (48, 4): "w48"}
    if (width, blocks) not in sizes:
        raise SegmodelsError(
            f"{file.path}: its HRNet has {width} channels and {blocks} blocks at full resolution; "
            f"known are W18 and W48 with 4 blocks, and W18 with 2 (small)."
        )
    return sizes[width, blocks]


def icnet_of(file: File) -> tuple[Config, Tensors]:
    """ICNet, whose ResNet-V1c lies inside its backbone."""
    inner, outer = "backbone.backbone.", "backbone."
    body = {k.replace(inner, outer): v for k, v in file.tensors.items() if k.startswith(inner)}
    kind, renamed = _backbone(replace(file, tensors=body))
    ours = {k: v for k, v in file.tensors.items() if not k.startswith(inner)}
    ours |= {k.replace(outer, inner): v for k, v in renamed.items()}
    num_classes, channels, _, _ = file.shape("decode_head.conv_seg.weight", 4)
    branches = ("conv_sub1.2", "conv_sub2", "conv_sub4")
    return {
        "name": f"icnet_{kind}",
        "num_classes": num_classes,
        "light_channels": file.shape("backbone.conv_sub1.0.conv.weight", 4)[0],
        "psp_channels": file.shape("backbone.psp_bottleneck.conv.weight", 4)[0],
        "branch_channels": [file.shape(f"backbone.{b}.conv.weight", 4)[0] for b in branches],
        "channels": channels,
        "auxiliary": file.auxiliary,
    }, ours


def unet_of(file: File) -> tuple[Config, Tensors]:
    """mmsegmentation's U-Net under an FCN head."""
    num_classes, channels, _, _ = file.shape("decode_head.conv_seg.weight", 4)
    return {
        "name": "mmseg_unet_s5_d16_fcn",
        "num_classes": num_classes,
        "width": file.shape("backbone.encoder.0.0.convs.0.conv.weight", 4)[0],
        "levels": count(file.tensors, "backbone.encoder."),
        "channels": channels,
        "auxiliary": file.auxiliary,
    }, file.tensors


def _backbone(file: File) -> tuple[str, Tensors]:
    """Which backbone it is, and all tensors under our names."""
    if "backbone.conv1.conv.weight" in file.tensors:
        return "mobilenetv2", mobilenet.renamed(file.tensors)
    blocks = tuple(count(file.tensors, f"backbone.layer{stage}.") for stage in (1, 2, 3, 4))
    deep = "backbone.stem.0.weight" in file.tensors
    if not deep or blocks not in RESNETS:
        stem = "three convolutions" if deep else "one convolution"
        raise SegmodelsError(
            f"{file.path}: its backbone has a stem of {stem} and {blocks} blocks; known are "
            f"ResNet-50 and -101 with a stem of three convolutions (V1c), and MobileNetV2."
        )
    return RESNETS[blocks], resnet.renamed(file.tensors)
