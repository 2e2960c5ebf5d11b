"""DeepLabV3+ (Chen et al., ECCV 2018, arXiv 1802.02611): dilated pyramid and fine edges.

It is the network that mmsegmentation publishes under this name and papers quote: a dilated
ResNet-V1c or MobileNetV2 at 1/8 of the image in training as in testing, 512 channels, the
pyramid merged by a 3x3 convolution, an auxiliary head. The paper has an Xception or a
ResNet-101 trained at 1/16 (with half these dilations), 256 channels, a 1x1 convolution
there and no auxiliary head. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import upsample
from segmodels.models.convolution import ConvBN, SeparableConvBN
from segmodels.models.fcn import DilatedNetwork, FCNConfig, Head
from segmodels.models.pspnet import Pooled

#: Of the 3x3 branches; a 1x1 convolution and the average of the image come to them.
DILATIONS = (12, 24, 36)


@dataclass(frozen=True)
class Pyramid:
    """How the pyramid looks.

    Attributes:
        dilations: of its 3x3 branches.
        merged_by: side of the convolution that merges the branches.
    """

    dilations: Sequence[int] = DILATIONS
    merged_by: int = 3


class Sizes(Protocol):
    """What the head wants to know of a network."""

    @property
    def channels(self) -> int:
        """Width of the head."""

    @property
    def fine_channels(self) -> int:
        """To which the map at 1/4 is reduced."""

    @property
    def num_classes(self) -> int:
        """Outputs."""

    @property
    def dropout(self) -> float:
        """Of whole channels before the classifier."""


@dataclass(frozen=True)
class DeepLabV3PlusConfig(FCNConfig):
    """Arguments of DeepLabV3+.

    Attributes:
        fine_channels: to which the map at 1/4 is reduced, so that it does not outweigh
            the context (paper, table 1).
    """

    fine_channels: int = 48

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fine_channels < 1:
            raise SegmodelsError(f"fine_channels must be at least 1, got {self.fine_channels}.")


class DeepLabV3PlusHead(Head):
    """Atrous spatial pyramid pooling on the last map, refined with the first (figure 2)."""

    def __init__(
        self,
        widths: Sequence[int],
        config: Sizes,
        pyramid: Pyramid | None = None,
        align_corners: bool = False,
    ) -> None:
        pyramid = pyramid or Pyramid()
        channels, fine = config.channels, config.fine_channels
        super().__init__(channels, config.num_classes, config.dropout)
        inputs = widths[-1]
        self.image_pool = Pooled(inputs, channels, 1, align_corners)
        dilated_convs = (SeparableConvBN(inputs, channels, rate) for rate in pyramid.dilations)
        self.aspp_modules = nn.ModuleList([ConvBN(inputs, channels), *dilated_convs])
        self.bottleneck = ConvBN(
            (2 + len(pyramid.dilations)) * channels, channels, pyramid.merged_by
        )
        self.c1_bottleneck = ConvBN(widths[0], fine)
        self.sep_bottleneck = nn.Sequential(
            SeparableConvBN(channels + fine, channels), SeparableConvBN(channels, channels)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone to logits (B, num_classes, h, w) at the size of the first."""
        fine = self.c1_bottleneck(maps[0])
        size = (fine.shape[-2], fine.shape[-1])
        context = upsample(self._context(maps[-1]), size, self.image_pool.align_corners)
        return self.classify(self.sep_bottleneck(torch.cat([context, fine], dim=1)))

    def _context(self, x: Tensor) -> Tensor:
        branches = [self.image_pool(x), *(module(x) for module in self.aspp_modules)]
        merged: Tensor = self.bottleneck(torch.cat(branches, dim=1))
        return merged


class DeepLabV3Plus(DilatedNetwork):
    """DeepLabV3+; takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = DeepLabV3PlusConfig

    def __init__(self, config: DeepLabV3PlusConfig) -> None:
        aligned = config.align_corners
        super().__init__(
            config, lambda widths: DeepLabV3PlusHead(widths, config, align_corners=aligned)
        )
