"""UPerNet (Xiao et al., ECCV 2018, arXiv 1807.10221) on a Swin Transformer.

The head is the paper's part for scene parsing alone: a pyramid pooling module on the coarsest
map, a feature pyramid over all four, everything merged at 1/4 of the image. Attribute names
follow mmsegmentation, whose head Swin's authors use unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import upsample
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import EncoderDecoder
from segmodels.models.fcn import auxiliary_head
from segmodels.models.pspnet import PSPHead
from segmodels.models.swin import Swin, SwinConfig


@dataclass(frozen=True)
class UPerNetConfig(SwinConfig):
    """Arguments of UPerNet.

    Attributes:
        channels: width of the head.
        dropout: of whole channels before every classifier.
        auxiliary: whether there is a second head for the training, on the third map.
    """

    RATES: ClassVar[Mapping[str, str]] = {**SwinConfig.RATES, "decoder_dropout": "dropout"}

    channels: int = 512
    dropout: float = 0.1
    auxiliary: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels < 1:
            raise SegmodelsError(f"channels must be at least 1, got {self.channels}.")


class UPerHead(PSPHead):
    """Pyramid pooling, then a feature pyramid from coarse to fine (figure 4, left)."""

    def __init__(
        self, widths: Sequence[int], channels: int, num_classes: int, dropout: float = 0.1
    ) -> None:
        super().__init__(widths[-1], channels, num_classes, dropout)
        self.lateral_convs = nn.ModuleList(ConvBN(width, channels) for width in widths[:-1])
        self.fpn_convs = nn.ModuleList(ConvBN(channels, channels, 3) for _ in widths[:-1])
        self.fpn_bottleneck = ConvBN(len(widths) * channels, channels, 3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps from fine to coarse to logits (B, num_classes, h, w) of the finest map's size."""
        x = self.pooled(maps[-1])
        levels = [x]
        for index in reversed(range(len(maps) - 1)):
            x = self.lateral_convs[index](maps[index]) + upsample(x, _size(maps[index]))
            levels.insert(0, self.fpn_convs[index](x))
        resized = [upsample(level, _size(maps[0])) for level in levels]
        return self.classify(self.fpn_bottleneck(torch.cat(resized, dim=1)))

    def pooled(self, x: Tensor) -> Tensor:
        """The coarsest map (B, widths[-1], h, w) with its context, (B, channels, h, w)."""
        levels = [x, *(module(x) for module in self.psp_modules)]
        y: Tensor = self.bottleneck(torch.cat(levels, dim=1))
        return y


class UPerNet(EncoderDecoder):
    """UPerNet on Swin; takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = UPerNetConfig

    def __init__(self, config: UPerNetConfig) -> None:
        head = UPerHead(config.widths, config.channels, config.num_classes, config.dropout)
        auxiliary = auxiliary_head(config.widths, config.num_classes, config.dropout)
        super().__init__(config, Swin(config), head, [auxiliary] if config.auxiliary else [])


def _size(features: Tensor) -> tuple[int, int]:
    return features.shape[-2], features.shape[-1]
