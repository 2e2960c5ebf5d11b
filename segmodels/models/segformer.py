"""SegFormer (Xie et al., NeurIPS 2021, arXiv 2105.15203): a MiT and an all-MLP decoder.

Attribute names follow the official checkpoints, so their keys are our keys. This is not
mmseg's later SegformerHead, whose weights do not fit here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import SegModel, to_map, to_tokens, upsample
from segmodels.models.mit import STAGES, MiT, MiTConfig


@dataclass(frozen=True)
class SegFormerConfig(MiTConfig):
    """Arguments of SegFormer.

    Attributes:
        decoder_width: channels of the decoder; 256 for B0 and B1, 768 for the others.
        decoder_dropout: of whole channels before the classifier.
    """

    decoder_width: int = 256
    decoder_dropout: float = 0.1


class Level(nn.Module):
    """The linear layer of one encoder stage, under the name the checkpoints use."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, outputs)


class Fuse(nn.Module):
    """1x1 convolution over all levels, and its BatchNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(len(STAGES) * width, width, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)


class Decoder(nn.Module):
    """Project every level, upsample to 1/4, concatenate, fuse, classify (equation 4).

    Written that way it builds a map of 4 x width channels at 1/4 resolution. Projection,
    upsampling and fusion are linear, so they are exchanged: each level goes through the
    product of its projection and its share of the fusion at its own resolution, and the
    upsampled results are added. Same function, a third of the multiplications.
    """

    def __init__(self, config: SegFormerConfig) -> None:
        super().__init__()
        width = config.decoder_width
        for number in reversed(STAGES):
            setattr(self, f"linear_c{number}", Level(config.widths[number - 1], width))
        self.linear_fuse = Fuse(width)
        self.dropout = nn.Dropout2d(config.decoder_dropout)
        self.linear_pred = nn.Conv2d(width, config.num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Four maps (B, widths, ...) to logits (B, num_classes, h, w), at 1/4 of the image."""
        levels = self._levels(maps)
        x = next(levels)
        for level in levels:
            x.add_(level)
        x = self.dropout(F.relu(self.linear_fuse.bn(x), inplace=True))
        return pointwise(x, self.linear_pred.weight.flatten(1), self.linear_pred.bias)

    def _levels(self, maps: list[Tensor]) -> Iterator[Tensor]:
        """What each level adds to the fused map, from the coarsest to the finest.

        In that order the fusion's weight holds their shares, and the first of them is a
        fresh tensor to which the others can be added in place.
        """
        shares = self.linear_fuse.conv.weight.flatten(1).chunk(len(STAGES), dim=1)
        for number, share in zip(reversed(STAGES), shares, strict=True):
            level: nn.Linear = getattr(self, f"linear_c{number}").proj
            y = pointwise(maps[number - 1], share @ level.weight, share @ level.bias)
            yield upsample(y, _size(maps[0]))


class SegFormer(SegModel):
    """SegFormer; takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = SegFormerConfig

    def __init__(self, config: SegFormerConfig) -> None:
        super().__init__(config)
        self.smallest_side = config.smallest_side
        self.backbone = MiT(config)
        self.decode_head = Decoder(config)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, ⌈H / 4⌉, ⌈W / 4⌉) of images (B, 3, H, W)."""
        logits: Tensor = self.decode_head(self.backbone(images))
        return logits


def pointwise(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 1x1 convolution with weight (out, in) of a map (B, in, h, w).

    The maps here are tokens in memory, so this is one matrix product without a copy;
    PyTorch's own 1x1 convolution takes a slow path for a single image.
    """
    return to_map(F.linear(to_tokens(features), weight, bias), _size(features))


def _size(features: Tensor) -> tuple[int, int]:
    return features.shape[-2], features.shape[-1]
