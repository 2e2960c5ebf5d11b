"""mmsegmentation's convolutional networks: sizes from shapes of tensors, and names of tensors."""

from __future__ import annotations

from collections.abc import Callable

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
        }
        fine = file.tensors.get("decode_head.c1_bottleneck.conv.weight")
        return config if fine is None else {**config, "fine_channels": len(fine)}, ours

    return read


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
