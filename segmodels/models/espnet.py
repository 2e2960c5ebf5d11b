"""ESPNet (Mehta et al., ECCV 2018, arXiv 1803.06815): reduce, split, transform, merge.

Two decoders were published under one name. The CamVid weights concatenate the 19-channel
``b1`` output before the last convolution, the Cityscapes weights the 16-channel stem.
Attribute names follow the released files, so their keys are our keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel, one_of
from segmodels.models.prelu_convolution import Conv, ConvNormAct, NormAct

BRANCHES = 5
DILATIONS = (1, 2, 4, 8, 16)
STEM, LEVEL2, LEVEL3 = 16, 64, 128
SKIPS = {"b1": STEM + 3, "stem": STEM}


@dataclass(frozen=True)
class ESPNetConfig(ModelConfig):
    """Arguments of ESPNet; the CamVid weights have 12 classes (11 and void).

    Attributes:
        p: ESP blocks at 1/4 resolution.
        q: ESP blocks at 1/8 resolution.
        skip: what the last convolution sees besides the decoder: ``"b1"`` as in the
            CamVid weights, ``"stem"`` as in the Cityscapes weights.
    """

    p: int = 2
    q: int = 8
    skip: str = "b1"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("skip", self.skip, tuple(SKIPS))
        if self.num_classes < BRANCHES:
            raise SegmodelsError(
                f"ESPNet's decoder is an ESP block on num_classes channels and needs at least "
                f"{BRANCHES}, got {self.num_classes}."
            )


class Pyramid(nn.Module):
    """Five parallel dilated 3x3 convolutions whose outputs are summed up hierarchically."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = outputs // BRANCHES
        first = outputs - (BRANCHES - 1) * width
        self.c1 = Conv(inputs, width, kernel, stride)
        for dilation in DILATIONS:
            channels = first if dilation == 1 else width
            setattr(self, f"d{dilation}", Conv(width, channels, 3, dilation=dilation))

    def merged(self, x: Tensor) -> Tensor:
        """Concatenate d1, d2, d2+d4, d2+d4+d8, d2+d4+d8+d16 (the sums remove gridding)."""
        reduced = self.c1(x)
        d1, total, *rest = (getattr(self, f"d{dilation}")(reduced) for dilation in DILATIONS)
        parts = [d1, total]
        for branch in rest:
            total = total + branch
            parts.append(total)
        return torch.cat(parts, dim=1)


class DownBlock(Pyramid):
    """ESP block whose reduction is a 3x3 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel=3, stride=2)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / 2, w / 2)."""
        y: Tensor = self.act(self.bn(self.merged(x)))
        return y


class Block(Pyramid):
    """ESP block whose reduction is a 1x1 convolution; residual where the sizes allow it."""

    def __init__(self, inputs: int, outputs: int, residual: bool = True) -> None:
        super().__init__(inputs, outputs, kernel=1, stride=1)
        self.bn = NormAct(outputs)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        merged = self.merged(x)
        y: Tensor = self.bn(x + merged if self.residual else merged)
        return y


class Encoder(nn.Module):
    """Stem and two stages of ESP blocks, each fed with the shrunken image once more."""

    def __init__(self, num_classes: int, p: int, q: int) -> None:
        super().__init__()
        self.level1 = ConvNormAct(3, STEM, 3, stride=2)
        self.b1 = NormAct(STEM + 3)
        self.level2_0 = DownBlock(STEM + 3, LEVEL2)
        self.level2 = nn.ModuleList(Block(LEVEL2, LEVEL2) for _ in range(p))
        self.b2 = NormAct(2 * LEVEL2 + 3)
        self.level3_0 = DownBlock(2 * LEVEL2 + 3, LEVEL3)
        self.level3 = nn.ModuleList(Block(LEVEL3, LEVEL3) for _ in range(q))
        self.b3 = NormAct(2 * LEVEL3)
        self.classifier = Conv(2 * LEVEL3, num_classes, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Stem and b1 (1/2), b2 (1/4) and class scores (1/8)."""
        half = F.avg_pool2d(images, 3, stride=2, padding=1)
        quarter = F.avg_pool2d(half, 3, stride=2, padding=1)
        stem = self.level1(images)
        b1 = self.b1(torch.cat([stem, half], dim=1))
        down = x = self.level2_0(b1)
        for block in self.level2:
            x = block(x)
        b2 = self.b2(torch.cat([x, down, quarter], dim=1))
        down = x = self.level3_0(b2)
        for block in self.level3:
            x = block(x)
        scores = self.classifier(self.b3(torch.cat([down, x], dim=1)))
        return stem, b1, b2, scores


class ESPNet(SegModel):
    """ESPNet with its light-weight decoder; logits come at full (padded) resolution."""

    Config = ESPNetConfig
    stride = 8

    def __init__(self, config: ESPNetConfig) -> None:
        super().__init__(config)
        self.skip = config.skip
        classes = config.num_classes
        self.encoder = Encoder(classes, config.p, config.q)
        self.br = nn.BatchNorm2d(classes, eps=1e-3)
        self.up_l3 = nn.Sequential(_double(classes))
        self.level3_C = Conv(2 * LEVEL2 + 3, classes, 1)
        self.combine_l2_l3 = nn.Sequential(
            NormAct(2 * classes), Block(2 * classes, classes, residual=False)
        )
        self.up_l2 = nn.Sequential(_double(classes), NormAct(classes))
        self.conv = ConvNormAct(SKIPS[config.skip] + classes, classes, 3)
        self.classifier = _double(classes)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 8."""
        stem, b1, b2, scores = self.encoder(self.pad(images))
        x = self.up_l3(self.br(scores))
        x = self.combine_l2_l3(torch.cat([self.level3_C(b2), x], dim=1))
        x = torch.cat([self.up_l2(x), b1 if self.skip == "b1" else stem], dim=1)
        logits: Tensor = self.classifier(self.conv(x))
        return logits


def _double(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, channels, 2, stride=2, bias=False)
