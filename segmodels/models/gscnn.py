"""Gated-SCNN (Takikawa et al., ICCV 2019, arXiv 1907.05740): a thin stream for shapes.

It runs at full resolution beside a ResNet-38, lets three gates of it decide what passes, and tells
the pyramid at the end where boundaries are. As the authors' code builds it
(github.com/nv-tlabs/GSCNN, 3648b86); its ``dsn1``, which nothing reads, is left out. The losses
that compare boundaries with those of the labels belong to their training and are not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, upsample
from segmodels.models.canny import canny_edges
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.resnet38 import Block

#: Of the pyramid's 3x3 branches, at 1/8 of the image.
DILATIONS = (12, 24, 36)

#: Channels of the shape stream over the width of the first convolution, halved at every gate.
HALVINGS = (1, 2, 4, 8)


@dataclass(frozen=True)
class GSCNNConfig(ModelConfig):
    """Arguments of Gated-SCNN.

    Attributes:
        width: channels of the first convolution, a multiple of 8; the last level has 64 times as
            many, the shape stream ends with an eighth.
        channels: of every branch of the pyramid and of the decoder.
        fine_channels: to which the map at 1/2 is reduced.
        dropout: of whole channels in the last level.
        dropout_before: the same in the level before it.
    """

    width: int = 64
    channels: int = 256
    fine_channels: int = 48
    dropout: float = 0.5
    dropout_before: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 8 or self.width % 8:
            raise SegmodelsError(f"width must be a multiple of 8, got {self.width}.")
        for name in ("channels", "fine_channels"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("dropout", "dropout_before"):
            if not 0 <= getattr(self, name) < 1:
                found = getattr(self, name)
                raise SegmodelsError(f"{name} must be at least 0 and below 1, got {found}.")


class Trunk(nn.Module):
    """ResNet-38, model A2: pools before the first two levels, dilation from the fifth on."""

    def __init__(self, config: GSCNNConfig) -> None:
        super().__init__()
        width = config.width
        self.first = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.level2 = _level(width, [2 * width] * 2, 3)
        self.level3 = _level(2 * width, [4 * width] * 2, 3)
        self.level4 = _level(4 * width, [8 * width] * 2, 6, stride=2)
        self.level5 = _level(8 * width, [8 * width, 16 * width], 3, dilation=2)
        narrow = [8 * width, 16 * width, 32 * width]
        self.level6 = _level(16 * width, narrow, 1, dilation=4, dropout=config.dropout_before)
        wide = [16 * width, 32 * width, 64 * width]
        self.level7 = _level(32 * width, wide, 1, dilation=4, dropout=config.dropout)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to maps at 1, 1/2, 1/4, 1/8 and 1/8 (rounded up)."""
        one = self.first(images)
        two = self.level2(self.pool(one))
        three = self.level3(self.pool(two))
        four = self.level4(three)
        return [one, two, three, four, self.level7(self.level6(self.level5(four)))]


def _level(
    inputs: int,
    widths: Sequence[int],
    depth: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    dropout: float = 0.0,
) -> nn.Sequential:
    kernels = (3, 3) if len(widths) == 2 else (1, 3, 1)
    rates = (dilation, dilation)
    first = Block(
        inputs, widths, kernels, stride=stride, dilations=rates, project=True, dropout=dropout
    )
    others = [
        Block(widths[-1], widths, kernels, dilations=rates, dropout=dropout)
        for _ in range(depth - 1)
    ]
    return nn.Sequential(first, *others)


class Residual(nn.Module):
    """Two 3x3 convolutions with BatchNorm beside an identity, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvBN(channels, channels, 3)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to one of the same shape."""
        return F.relu(x + self.bn(self.conv(self.first(x))))


class Gate(nn.Module):
    """The shape stream after it has heard one channel of the trunk (equations 1 and 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.BatchNorm2d(channels + 1),
            nn.Conv2d(channels + 1, channels + 1, 1),
            nn.ReLU(),
            nn.Conv2d(channels + 1, 1, 1),
            nn.BatchNorm2d(1),
            nn.Sigmoid(),
        )
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        nn.init.xavier_normal_(self.conv.weight)

    def forward(self, shape: Tensor, heard: Tensor) -> Tensor:
        """Maps (B, channels, h, w) and (B, 1, h, w) to one (B, channels, h, w)."""
        weights = self.attention(torch.cat([shape, heard], dim=1))
        gated: Tensor = self.conv(shape * (weights + 1))
        return gated


class ShapeStream(nn.Module):
    """From the first map to boundaries, at full resolution (section 3.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width // half for half in HALVINGS]
        self.residuals = nn.ModuleList(Residual(channels) for channels in widths[:-1])
        self.halve = nn.ModuleList(nn.Conv2d(wide, narrow, 1) for wide, narrow in pairwise(widths))
        self.gates = nn.ModuleList(Gate(channels) for channels in widths[1:])
        self.speak = nn.ModuleList(nn.Conv2d(width * times, 1, 1) for times in (4, 8, 64))
        self.fuse = nn.Conv2d(widths[-1], 1, 1, bias=False)

    def forward(self, first: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """The map at 1 and those of levels 3, 4 and 7 to boundaries (B, 1, H, W), from 0 to 1."""
        size = (first.shape[-2], first.shape[-1])
        x = first
        parts = zip(self.residuals, self.halve, self.gates, self.speak, levels, strict=True)
        for residual, halve, gate, speak, level in parts:
            x = gate(halve(residual(x)), upsample(speak(level), size, align_corners=True))
        boundaries: Tensor = self.fuse(x).sigmoid()
        return boundaries


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling with the boundaries as one more branch (section 3.2)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.image_pool = ConvBN(inputs, channels)
        self.boundaries = ConvBN(1, channels)
        dilated = (ConvBN(inputs, channels, 3, rate) for rate in DILATIONS)
        self.branches = nn.ModuleList([ConvBN(inputs, channels), *dilated])
        self.merge = nn.Conv2d((3 + len(DILATIONS)) * channels, channels, 1, bias=False)

    def forward(self, x: Tensor, boundaries: Tensor) -> Tensor:
        """A map (B, inputs, h, w) and boundaries (B, 1, H, W) to (B, channels, h, w)."""
        size = (x.shape[-2], x.shape[-1])
        pooled = self.image_pool(x.mean((2, 3), keepdim=True)).expand(-1, -1, *size)
        near = self.boundaries(upsample(boundaries, size, align_corners=True))
        merged: Tensor = self.merge(
            torch.cat([pooled, near, *(branch(x) for branch in self.branches)], dim=1)
        )
        return merged


class GSCNNHead(nn.Module):
    """The shape stream, the pyramid and the decoder."""

    def __init__(self, config: GSCNNConfig) -> None:
        super().__init__()
        width, channels, fine = config.width, config.channels, config.fine_channels
        self.shapes = ShapeStream(width)
        self.with_canny = nn.Conv2d(2, 1, 1, bias=False)
        self.pyramid = Pyramid(64 * width, channels)
        self.fine = nn.Conv2d(2 * width, fine, 1, bias=False)
        self.decoder = nn.Sequential(
            ConvBN(channels + fine, channels, 3), ConvBN(channels, channels, 3)
        )
        self.classifier = nn.Conv2d(channels, config.num_classes, 1, bias=False)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the trunk and Canny's edges to logits (B, num_classes, ⌈H/2⌉, ⌈W/2⌉)."""
        one, two, three, four, last, edges = maps
        boundaries = self.shapes(one, (three, four, last))
        both = self.with_canny(torch.cat([boundaries, edges], dim=1)).sigmoid()
        context = self.pyramid(last, both)
        size = (two.shape[-2], two.shape[-1])
        seen = [self.fine(two), upsample(context, size, align_corners=True)]
        logits: Tensor = self.classifier(self.decoder(torch.cat(seen, dim=1)))
        return logits


class GSCNN(ConvolutionalNetwork):
    """Takes images of any size, gives logits at 1/2 (rounded up)."""

    Config = GSCNNConfig
    only_in_pytorch = "it runs OpenCV's Canny inside, which other runtimes do not have"

    def __init__(self, config: GSCNNConfig) -> None:
        super().__init__(config, Trunk(config), GSCNNHead(config))

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps of the trunk, and Canny's edges (B, 1, H, W) of the images themselves."""
        return [*super().features(images), canny_edges(images)]
