"""SegFormer as mmsegmentation builds and publishes it: a MiT under a convolutional head.

The encoder is SegFormer's (Xie et al., NeurIPS 2021, arXiv 2105.15203) with LayerNorm eps 1e-6
everywhere. The head is not: BatchNorm and ReLU stand behind the projection of every level, levels
are concatenated from the finest to the coarsest, and it has 256 channels at every size. So its
numbers and weights are those of another network. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel, upsample
from segmodels.models.convolution import ConvBN
from segmodels.models.fcn import Head
from segmodels.models.mit import MiT, MiTConfig


@dataclass(frozen=True)
class MMSegSegFormerConfig(MiTConfig):
    """Arguments of mmsegmentation's SegFormer.

    Attributes:
        channels: width of the head.
        decoder_dropout: of whole channels before the classifier.
    """

    RATES: ClassVar[Mapping[str, str]] = {**MiTConfig.RATES, "decoder_dropout": "decoder_dropout"}

    inner_norm_eps: float = 1e-6
    channels: int = 256
    decoder_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels < 1:
            raise SegmodelsError(f"channels must be at least 1, got {self.channels}.")


class LevelsHead(Head):
    """Project every level (BatchNorm, ReLU), upsample to the finest, concatenate, fuse."""

    def __init__(
        self, inputs: Sequence[int], channels: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__(channels, num_classes, dropout)
        self.convs = nn.ModuleList(ConvBN(width, channels) for width in inputs)
        self.fusion_conv = ConvBN(len(inputs) * channels, channels)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, inputs, ...) from fine to coarse to logits at the size of the first."""
        size = maps[0].shape[-2], maps[0].shape[-1]
        levels = zip(self.convs, maps, strict=True)
        together = torch.cat([upsample(conv(x), size) for conv, x in levels], dim=1)
        return self.classify(self.fusion_conv(together))


class MMSegSegFormer(SegModel):
    """Takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = MMSegSegFormerConfig

    def __init__(self, config: MMSegSegFormerConfig) -> None:
        super().__init__(config)
        self.smallest_side = config.smallest_side
        self.backbone = MiT(config)
        sizes = config.channels, config.num_classes, config.decoder_dropout
        self.decode_head = LevelsHead(config.widths, *sizes)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, ⌈H / 4⌉, ⌈W / 4⌉) of images (B, 3, H, W)."""
        logits: Tensor = self.decode_head(self.backbone(images))
        return logits
