"""FCN (Long et al., CVPR 2015, arXiv 1411.4038) as papers quote it today: FCN-D8.

It is the network that mmsegmentation publishes under this name: a dilated ResNet-V1c or
MobileNetV2, three 3x3 convolutions at 1/8 of the image and an auxiliary head. The paper's
FCN-8s is another one: VGG-16 without dilation or BatchNorm, coarse logits added up over
three strides, upsampling learned. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.backbone import BACKBONES, dilated
from segmodels.models.base import ModelConfig, one_of
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import ConvolutionalNetwork

AUXILIARY_CHANNELS = 256
AUXILIARY_LEVEL = 2  # the third of four maps


@dataclass(frozen=True)
class FCNConfig(ModelConfig):
    """Arguments of FCN, and of the other networks on the same backbones.

    Attributes:
        backbone: timm's name of it, one of ``BACKBONES``.
        channels: width of the head.
        dropout: of whole channels before every classifier.
        auxiliary: whether there is a second head for the training, on the third map.
        align_corners: whether maps and logits are resized with the centres of their corners in
            place, as mmsegmentation's networks for crops of 769 pixels do.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}
    LATER: ClassVar[tuple[str, ...]] = ("align_corners",)

    backbone: str = "resnet50c"
    channels: int = 512
    dropout: float = 0.1
    auxiliary: bool = True
    align_corners: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("backbone", self.backbone, BACKBONES)
        if self.channels < 1:
            raise SegmodelsError(f"channels must be at least 1, got {self.channels}.")


class Head(nn.Module):
    """What all heads end with: dropout of whole channels and a 1x1 classifier."""

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)  # type: ignore[arg-type]

    def classify(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to logits (B, num_classes, h, w)."""
        logits: Tensor = self.conv_seg(self.dropout(x))
        return logits


class FCNHead(Head):
    """Convolutions on one map; with ``concat``, one more over their input and output."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        num_classes: int,
        dropout: float = 0.1,
        *,
        convs: int = 2,
        concat: bool = True,
        level: int = -1,
        kernel: int = 3,
    ) -> None:
        super().__init__(channels, num_classes, dropout)
        self.level = level
        widths = [inputs, *[channels] * convs]
        self.convs = nn.Sequential(*(ConvBN(a, b, kernel) for a, b in pairwise(widths)))
        self.conv_cat = ConvBN(inputs + channels, channels, kernel) if concat else None

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone to logits (B, num_classes, h, w) at the size of ``level``."""
        x = maps[self.level]
        y = self.convs(x)
        if self.conv_cat is not None:
            y = self.conv_cat(torch.cat([x, y], dim=1))
        return self.classify(y)


class DilatedNetwork(ConvolutionalNetwork):
    """A dilated backbone, one head, and the auxiliary head if there shall be one."""

    Config = FCNConfig

    def __init__(self, config: FCNConfig, head: Callable[[Sequence[int]], nn.Module]) -> None:
        backbone, widths = dilated(config.backbone)
        auxiliary = auxiliary_head(widths, config.num_classes, config.dropout)
        heads = [auxiliary] if config.auxiliary else []
        super().__init__(config, backbone, head(widths), heads)
        self.align_corners = config.align_corners


class FCN(DilatedNetwork):
    """FCN-D8; takes images of any size, gives logits at 1/8 (rounded up)."""

    def __init__(self, config: FCNConfig) -> None:
        sizes = config.channels, config.num_classes, config.dropout
        super().__init__(config, lambda widths: FCNHead(widths[-1], *sizes))


def auxiliary_head(widths: Sequence[int], num_classes: int, dropout: float) -> FCNHead:
    """One convolution on the third of four maps (PSPNet, section 3.3)."""
    return FCNHead(
        widths[AUXILIARY_LEVEL],
        AUXILIARY_CHANNELS,
        num_classes,
        dropout,
        convs=1,
        concat=False,
        level=AUXILIARY_LEVEL,
    )
