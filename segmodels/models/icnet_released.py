"""ICNet (Zhao et al., ECCV 2018, arXiv 1704.08545) as its authors released it: half the channels.

The middle branch ends behind the first block of the third stage, the pyramid adds its levels to
the map, everything is resized with aligned corners. Sides are 1 more than a multiple of 32. The
windows of the pyramid are published for one size of image (1025x2049); at others they are cells of
equal size here. Heads for the training are in no file that was released.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, round_up
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.pspnet import BINS

#: Sides of images are 1 more than a multiple of this.
GRID = 32

#: Side of windows and step between them in the pyramid of a map of 33x65, by number of bins.
PUBLISHED = (33, 65)
WINDOWS = {
    1: ((33, 65), (33, 65)),
    2: ((17, 33), (16, 32)),
    3: ((13, 25), (10, 20)),
    6: ((8, 15), (5, 10)),
}


@dataclass(frozen=True)
class ReleasedICNetConfig(ModelConfig):
    """Arguments of the released ICNet.

    Attributes:
        width: channels of the first convolution; the last stage has 32 times as many.
    """

    width: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise SegmodelsError(f"width must be at least 1, got {self.width}.")


class Norm(nn.Sequential):
    """A 1x1 convolution and BatchNorm, without ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    """Reduce, 3x3, increase, beside the map itself or its projection; the stride comes first."""

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, project: bool = False
    ) -> None:
        super().__init__()
        inner = outputs // 4
        self.reduce = ConvBN(inputs, inner, stride=stride)
        self.conv = ConvBN(inner, inner, 3, dilation)
        self.increase = Norm(inner, outputs)
        self.project = Norm(inputs, outputs, stride) if project else None

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to (B, outputs, ⌈h / stride⌉, ⌈w / stride⌉)."""
        shortcut = x if self.project is None else self.project(x)
        return F.relu(shortcut + self.increase(self.conv(self.reduce(x))))


def stage(inputs: int, outputs: int, depth: int, stride: int = 1, dilation: int = 1) -> nn.Module:
    """Blocks of which the first changes channels and size."""
    first = Bottleneck(inputs, outputs, stride, dilation, project=True)
    rest = (Bottleneck(outputs, outputs, dilation=dilation) for _ in range(depth - 1))
    return nn.Sequential(first, *rest)


class Middle(nn.Module):
    """Half-size images through the stem, two stages and the first block of the third."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvBN(3, width, 3, stride=2),
            ConvBN(width, width, 3),
            ConvBN(width, 2 * width, 3),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.second = stage(2 * width, 4 * width, 3)
        self.third = stage(4 * width, 8 * width, 1, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, h, w) to a map (B, 8 width, ⌈h / 8⌉, ⌈w / 8⌉)."""
        x: Tensor = self.third(self.second(self.stem(images)))
        return x


class Coarse(nn.Module):
    """The rest of the third stage, the fourth and fifth (dilated by 2 and 4), and the pyramid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.third = nn.Sequential(*(Bottleneck(8 * width, 8 * width) for _ in range(3)))
        self.fourth = stage(8 * width, 16 * width, 6, dilation=2)
        self.fifth = stage(16 * width, 32 * width, 3, dilation=4)
        self.merge = ConvBN(32 * width, 8 * width)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, 8 width, h, w) to one of that shape."""
        x = self.fifth(self.fourth(self.third(x)))
        size = x.shape[-2], x.shape[-1]
        levels = (aligned(one, size) for one in pooled(x))
        merged: Tensor = self.merge(sum(levels, x))
        return merged


def pooled(x: Tensor) -> Iterator[Tensor]:
    """Averages of a map over 1, 2x2, 3x3 and 6x6 windows."""
    for bins in BINS:
        if (x.shape[-2], x.shape[-1]) == PUBLISHED:
            side, step = WINDOWS[bins]
            yield F.avg_pool2d(x, side, step)
        else:
            yield F.adaptive_avg_pool2d(x, bins)


def aligned(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize that keeps the corners where they are."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def resized(x: Tensor, numerator: int, denominator: int = 1) -> Tensor:
    """The same, with sides minus 1 times a factor."""
    height, width = ((side - 1) * numerator // denominator + 1 for side in x.shape[-2:])
    return aligned(x, (height, width))


class Fusion(nn.Module):
    """A coarse map twice as large and convolved, added to a finer one (figure 3)."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.conv_coarse = nn.Sequential(
            nn.Conv2d(coarse, outputs, 3, padding=2, dilation=2, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.conv_fine = Norm(fine, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Maps (B, coarse, h, w) and (B, fine, 2h - 1, 2w - 1) to (B, outputs, 2h - 1, 2w - 1)."""
        return F.relu(self.conv_coarse(resized(coarse, 2)) + self.conv_fine(fine))


class ReleasedICNet(ConvolutionalNetwork):
    """Takes images of any size, padded with 0 inside; gives logits at full resolution."""

    Config = ReleasedICNetConfig

    def __init__(self, config: ReleasedICNetConfig) -> None:
        width, outputs = config.width, 4 * config.width
        head = nn.Conv2d(outputs, config.num_classes, 1)
        super().__init__(config, Middle(width), head)
        self.coarse = Coarse(width)
        self.fine = nn.Sequential(
            ConvBN(3, width, 3, stride=2),
            ConvBN(width, width, 3, stride=2),
            ConvBN(width, 2 * width, 3, stride=2),
        )
        self.fusion_24 = Fusion(8 * width, 8 * width, outputs)
        self.fusion_12 = Fusion(outputs, 2 * width, outputs)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H, W) of images (B, 3, H, W)."""
        height, width = images.shape[-2:]
        images = F.pad(images, [0, missing(width), 0, missing(height)])
        middle = self.backbone(resized(images, 1, 2))
        coarse = self.coarse(resized(middle, 1, 2))
        x = self.fusion_24(coarse, middle)
        x = self.fusion_12(x, self.fine(images))
        return resized(self.decode_head(resized(x, 2)), 4)[..., :height, :width]

    def forward_supervised(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """The logits alone."""
        return [(self.forward_lowres(images), 1.0)]


def missing(side: int) -> int:
    """Pixels to the next side that is 1 more than a multiple of 32."""
    return round_up(side - 1, GRID) + 1 - side
