"""DiCENet (Mehta, Hajishirzi, Rastegari, 2020, arXiv 1906.03516): dimension-wise convolutions.

A map is convolved depthwise along its channels, along its rows and along its columns. The last two
have one kernel for every row and every column of the map that the encoder was trained with, so a
map of another size is brought to that and back. Facts from the authors' code
(github.com/sacmehta/EdgeNets at 2b232d3); attribute names of the encoder follow the released files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.core.arguments import whole
from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel, one_of
from segmodels.models.edgenets import EPS, Decoder, Interleaved, draw
from segmodels.models.prelu_convolution import ConvNormAct, NormAct

#: Channels at 1/2 and 1/4, and at 1/8 by the scale s; at 1/16 there are twice as many.
WIDTHS: Mapping[str, tuple[int, int]] = {
    "0.2": (16, 32),
    "0.5": (24, 48),
    "0.75": (24, 86),
    "1.0": (24, 116),
    "1.25": (24, 144),
    "1.5": (24, 176),
    "1.75": (24, 210),
    "2.0": (24, 244),
    "2.4": (24, 278),
}
#: Blocks behind the one that halves the map, at 1/8 and at 1/16.
DEPTHS = (3, 7)


@dataclass(frozen=True)
class DiCENetConfig(ModelConfig):
    """Arguments of DiCENet; the VOC weights have 21 classes, the Cityscapes weights 20.

    Attributes:
        scale: the factor s of the paper as it is written there, which decides all widths of the
            encoder.
        decoder_width: channels of the finest map of the decoder are twice this, of the coarsest
            four times.
        encoder_side: side in pixels of the images that the encoder was made for, a multiple of 32:
            there are as many kernels along rows and columns as its maps had. The released files
            all have 224.
    """

    scale: str = "1.0"
    decoder_width: int = 16
    encoder_side: int = 224

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("scale", self.scale, tuple(WIDTHS))
        whole("encoder_side", self.encoder_side, least=32)
        if self.encoder_side % 32:
            raise SegmodelsError(f"encoder_side must be a multiple of 32, got {self.encoder_side}.")


class Dimensionwise(nn.Module):
    """Three depthwise convolutions of a map, one along each dimension, mixed and weighed.

    Args:
        channels: of the map.
        side: rows and columns for which there are kernels.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.conv_channel = _depthwise(channels)
        self.conv_width = _depthwise(side)
        self.conv_height = _depthwise(side)
        self.br_act = NormAct(3 * channels, EPS)
        self.mixed = Interleaved(3)
        self.weight_avg_layer = ConvNormAct(3 * channels, channels, 1, groups=channels, eps=EPS)
        self.proj_layer = ConvNormAct(channels, channels, 3, groups=channels, eps=EPS)
        self.linear_comb_layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 4, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels // 4, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        height, width = x.shape[-2:]
        rows = _along(self.conv_height, _sized(x, self.side, width), 2)
        columns = _along(self.conv_width, _sized(x, height, self.side), 3)
        all_three = [self.conv_channel(x), _sized(rows, height, width)]
        all_three.append(_sized(columns, height, width))
        both = self.weight_avg_layer(self.mixed(self.br_act(torch.cat(all_three, dim=1))))
        y: Tensor = self.proj_layer(both) * self.linear_comb_layer(both)
        return y


class Down(nn.Module):
    """Halves a map in two ways, whose channels are interleaved: twice as many.

    Args:
        channels: of the map that comes in.
        side: rows and columns of the smaller map for which there are kernels.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.left_layer = nn.Sequential(
            ConvNormAct(channels, channels, 3, stride=2, groups=channels, eps=EPS),
            ConvNormAct(channels, channels, 1, eps=EPS),
        )
        self.right_layer = nn.Sequential(
            nn.AvgPool2d(3, stride=2, padding=1),
            Dimensionwise(channels, side),
            ConvNormAct(channels, channels, 1, eps=EPS),
        )
        self.mixed = Interleaved(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, 2 * channels, h / 2, w / 2)."""
        y: Tensor = self.mixed(torch.cat([self.left_layer(x), self.right_layer(x)], dim=1))
        return y


class Block(nn.Module):
    """Half of the channels pass, the others are convolved; then they are interleaved.

    Args:
        inputs: channels.
        outputs: channels.
        side: rows and columns for which there are kernels.
    """

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.passing = round(inputs / 2)
        right = outputs - self.passing
        self.layer_right = nn.Sequential(
            ConvNormAct(inputs - self.passing, right, 1, eps=EPS), Dimensionwise(right, side)
        )
        self.mixed = Interleaved(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        left, right = x[:, : self.passing], x[:, self.passing :]
        y: Tensor = self.mixed(torch.cat([left, self.layer_right(right)], dim=1))
        return y


class Encoder(nn.Module):
    """The classification network without what follows 1/16.

    Args:
        widths: channels at 1/2, 1/4, 1/8 and 1/16.
        side: of the images it is made for, in pixels.
    """

    def __init__(self, widths: tuple[int, int, int, int], side: int) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.level1 = ConvNormAct(3, half, 3, stride=2, eps=EPS)
        self.level2 = nn.MaxPool2d(3, stride=2, padding=1)
        self.level3 = _level(quarter, eighth, DEPTHS[0], side // 8)
        self.level4 = _level(eighth, sixteenth, DEPTHS[1], side // 16)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps at 1/2, 1/4, 1/8 and 1/16 of images whose sides are multiples of 16."""
        half = self.level1(images)
        quarter = self.level2(half)
        eighth = self.level3(quarter)
        return half, quarter, eighth, self.level4(eighth)


class DiCENet(SegModel):
    """DiCENet with its decoder; logits come at full (padded) resolution."""

    Config = DiCENetConfig
    decoder_parts = ("decoder",)
    stride = 16

    def __init__(self, config: DiCENetConfig) -> None:
        super().__init__(config)
        narrow, eighth = WIDTHS[config.scale]
        widths = (narrow, narrow, eighth, 2 * eighth)
        self.base_net = Encoder(widths, config.encoder_side)
        self.decoder = Decoder(widths, config.decoder_width, config.num_classes)
        draw(self)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 16."""
        logits: Tensor = self.decoder(self.base_net(self.pad(images)))
        return logits


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def _level(inputs: int, outputs: int, depth: int, side: int) -> nn.Sequential:
    """A block that halves the map, and `depth` that keep it."""
    first = [Down(inputs, side), Block(2 * inputs, outputs, side)]
    return nn.Sequential(*first, *(Block(outputs, outputs, side) for _ in range(depth - 1)))


def _along(convolution: nn.Module, x: Tensor, dim: int) -> Tensor:
    """A convolution that takes another dimension of (B, C, h, w) for the channels."""
    y: Tensor = convolution(x.transpose(1, dim).contiguous())
    return y.transpose(1, dim).contiguous()


def _sized(x: Tensor, height: int, width: int) -> Tensor:
    """A map of another size: means where it shrinks, bilinear (corners on corners) where not."""
    rows, columns = x.shape[-2:]
    if (rows, columns) == (height, width):
        return x
    if rows < height or columns < width:
        return F.interpolate(x, (height, width), mode="bilinear", align_corners=True)
    return F.adaptive_avg_pool2d(x, (height, width))
