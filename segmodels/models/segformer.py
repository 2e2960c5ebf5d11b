"""SegFormer (Xie et al., NeurIPS 2021, arXiv 2105.15203): a MiT and an all-MLP decoder.

Attribute names follow the official checkpoints, so their keys are our keys. mmsegmentation's
later SegformerHead is another network (``mmseg_segformer``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import SegModel, one_of, to_map, to_tokens, upsample
from segmodels.models.folding import Foldable, fold_batch_norm
from segmodels.models.mit import STAGES, MiT, MiTConfig


@dataclass(frozen=True)
class SegFormerConfig(MiTConfig):
    """Arguments of SegFormer.

    Attributes:
        decoder_width: channels of the decoder; 256 for B0 and B1, 768 for the others.
        decoder_dropout: of whole channels before the classifier.
        decoder_levels: ``"all"`` maps of the encoder, or the ``"last"`` alone (table 1d).
    """

    LATER: ClassVar[tuple[str, ...]] = (*MiTConfig.LATER, "decoder_levels")
    RATES: ClassVar[Mapping[str, str]] = {**MiTConfig.RATES, "decoder_dropout": "decoder_dropout"}

    decoder_width: int = 256
    decoder_dropout: float = 0.1
    decoder_levels: str = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("decoder_levels", self.decoder_levels, ("all", "last"))


class LevelProjection(nn.Module):
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


class Decoder(Foldable):
    """Project every level, upsample to 1/4, concatenate, fuse, classify (equation 4).

    Written that way it builds a map of 4 x width channels at 1/4 resolution. Projection,
    upsampling and fusion are linear, so they can be exchanged: each level goes through the
    product of its projection and its share of the fusion at its own resolution, and the
    upsampled results are added. Same function, a third of the multiplications. Training
    does that always; inference keeps the paper's order, which defines the number, until
    ``optimize_for_inference`` asks for the other one (and for BatchNorm inside it).

    Args:
        inputs: channels of the four maps, from fine to coarse.
        width: of the decoder.
        num_classes: outputs.
        dropout: of whole channels before the classifier.
    """

    def __init__(self, inputs: Sequence[int], width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        for number in reversed(STAGES):
            setattr(self, f"linear_c{number}", LevelProjection(inputs[number - 1], width))
        self.linear_fuse = Fuse(width)
        self.dropout = nn.Dropout2d(dropout)
        self.linear_pred = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Four maps (B, widths, ...) to logits (B, num_classes, h, w), at 1/4 of the image."""
        products = self.products
        if products is not None:
            x = _sum_of_levels(maps, products)
        elif self.training:
            x = self.linear_fuse.bn(_sum_of_levels(maps, self._exchanged()))
        else:
            x = self.linear_fuse.bn(self._as_written(maps))
        x = self.dropout(F.relu(x, inplace=True))
        return pointwise(x, self.linear_pred.weight.flatten(1), self.linear_pred.bias)

    def fold(self) -> tuple[Tensor, ...]:
        """Weight and bias of every level, coarsest first, with BatchNorm inside."""
        scale, shift = fold_batch_norm(self.linear_fuse.bn)
        scaled = [
            scale[:, None] * tensor if tensor.ndim > 1 else scale * tensor
            for tensor in self._exchanged()
        ]
        return *scaled[:-1], scaled[-1] + shift

    def _exchanged(self) -> tuple[Tensor, ...]:
        """Weight (width, inputs) and bias (width,) of every level, coarsest first.

        In that order the fusion's weight holds their shares.
        """
        shares = self.linear_fuse.conv.weight.flatten(1).chunk(len(STAGES), dim=1)
        terms: list[Tensor] = []
        for level, share in zip(self._projections(), shares, strict=True):
            terms += share @ level.weight, share @ level.bias
        return tuple(terms)

    def _as_written(self, maps: list[Tensor]) -> Tensor:
        size = _size(maps[0])
        levels = zip(self._projections(), reversed(maps), strict=True)
        projected = [pointwise(features, level.weight, level.bias) for level, features in levels]
        fused: Tensor = self.linear_fuse.conv(torch.cat([upsample(x, size) for x in projected], 1))
        return fused

    def _projections(self) -> list[nn.Linear]:
        return [getattr(self, f"linear_c{number}").proj for number in reversed(STAGES)]


def _sum_of_levels(maps: list[Tensor], terms: Sequence[Tensor]) -> Tensor:
    """Each map, coarsest first, through its weight and bias, upsampled and added up.

    The coarsest comes out of the upsampling as a fresh tensor, to which the others can be
    added in place.
    """
    size = _size(maps[0])
    pairs = zip(reversed(maps), terms[::2], terms[1::2], strict=True)
    levels = (upsample(pointwise(x, weight, bias), size) for x, weight, bias in pairs)
    total = next(levels)
    for level in levels:
        total.add_(level)
    return total


class LastLevelDecoder(nn.Module):
    """Project the coarsest map, upsample it to 1/4, classify ("S4" of table 1d).

    The printed parameters and operations leave no room for the fusion of levels.
    """

    def __init__(self, inputs: int, width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.linear_c4 = LevelProjection(inputs, width)
        self.dropout = nn.Dropout2d(dropout)
        self.linear_pred = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Four maps (B, widths, ...) to logits (B, num_classes, h, w), at 1/4 of the image."""
        level = self.linear_c4.proj
        x = upsample(pointwise(maps[-1], level.weight, level.bias), _size(maps[0]))
        return pointwise(self.dropout(x), self.linear_pred.weight.flatten(1), self.linear_pred.bias)


class SegFormer(SegModel):
    """SegFormer; takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = SegFormerConfig

    def __init__(self, config: SegFormerConfig) -> None:
        super().__init__(config)
        self.smallest_side = config.smallest_side
        self.backbone = MiT(config)
        sizes = config.decoder_width, config.num_classes, config.decoder_dropout
        self.decode_head: Decoder | LastLevelDecoder
        if config.decoder_levels == "all":
            self.decode_head = Decoder(config.widths, *sizes)
        else:
            self.decode_head = LastLevelDecoder(config.widths[-1], *sizes)

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
