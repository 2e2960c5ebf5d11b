"""DABNet (Li et al., BMVC 2019, arXiv 1907.11357): depth-wise asymmetric bottlenecks.

Facts from the authors' code (github.com/Reagan1311/DABNet); BatchNorm eps is 1e-3 and the slope of
PReLU is one per channel, as in ESPNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.prelu_convolution import Conv, ConvNormAct, NormAct

STEM = 32
#: Dilations of the blocks, by the channels of their stage.
STAGES: Mapping[int, tuple[int, ...]] = {64: (2, 2, 2), 128: (4, 4, 8, 8, 16, 16)}


@dataclass(frozen=True)
class DABNetConfig(ModelConfig):
    """Arguments of DABNet: `num_classes` alone."""


class Asymmetric(nn.Module):
    """3x1, then 1x3, both depthwise and each with norm and activation.

    Args:
        channels: of the map.
        dilation: along the longer side of each.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.column = nn.Conv2d(
            channels,
            channels,
            (3, 1),
            padding=(dilation, 0),
            dilation=(dilation, 1),
            groups=channels,
            bias=False,
        )
        self.after_column = NormAct(channels)
        self.row = nn.Conv2d(
            channels,
            channels,
            (1, 3),
            padding=(0, dilation),
            dilation=(1, dilation),
            groups=channels,
            bias=False,
        )
        self.after_row = NormAct(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        y: Tensor = self.after_row(self.row(self.after_column(self.column(x))))
        return y


class Block(nn.Module):
    """Half the channels, a near and a dilated look, all channels again; residual."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        inner = channels // 2
        self.before = NormAct(channels)
        self.reduce = ConvNormAct(channels, inner, 3)
        self.near = Asymmetric(inner, 1)
        self.far = Asymmetric(inner, dilation)
        self.between = NormAct(inner)
        self.expand = Conv(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        y = self.reduce(self.before(x))
        y = self.expand(self.between(self.near(y) + self.far(y)))
        return x + y  # type: ignore[no-any-return]


class Down(nn.Module):
    """Halves a map: a 3x3 convolution of stride 2, and its maxima where that adds channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pooled = inputs < outputs
        self.conv = Conv(inputs, outputs - inputs if self.pooled else outputs, 3, stride=2)
        self.after = NormAct(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w), even sides, to (B, outputs, h / 2, w / 2)."""
        y = self.conv(x)
        if self.pooled:
            y = torch.cat([y, F.max_pool2d(x, 2)], dim=1)
        out: Tensor = self.after(y)
        return out


class DABNet(SegModel):
    """DABNet; logits at 1/8."""

    Config = DABNetConfig
    decoder_parts = ("classifier",)
    stride = 8

    def __init__(self, config: DABNetConfig) -> None:
        super().__init__(config)
        self.stem = nn.Sequential(
            ConvNormAct(3, STEM, 3, stride=2),
            ConvNormAct(STEM, STEM, 3),
            ConvNormAct(STEM, STEM, 3),
        )
        self.injected = NormAct(STEM + 3)
        self.down, self.blocks, self.joined = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        inputs = STEM + 3
        for channels, dilations in STAGES.items():
            self.down.append(Down(inputs, channels))
            self.blocks.append(nn.Sequential(*(Block(channels, one) for one in dilations)))
            inputs = 2 * channels + 3
            self.joined.append(NormAct(inputs))
        self.classifier = Conv(inputs, config.num_classes, 1)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H' / 8, W' / 8) with both sides padded to multiples of 8."""
        images = self.pad(images)
        small = _halved(images)
        x = self.injected(torch.cat([self.stem(images), small], dim=1))
        for down, blocks, joined in zip(self.down, self.blocks, self.joined, strict=True):
            first, small = down(x), _halved(small)
            x = joined(torch.cat([blocks(first), first, small], dim=1))
        logits: Tensor = self.classifier(x)
        return logits


def _halved(x: Tensor) -> Tensor:
    """Means of 3x3 at every second pixel; zeros outside count."""
    return F.avg_pool2d(x, 3, stride=2, padding=1)
