"""DDRNet-23-slim (Hong et al., arXiv 2101.06085): two branches of resolution that feed each other.

Facts from the authors' code (github.com/ydhongHIT/DDRNet, segmentation/DDRNet_23_slim.py), where
the second head of the training is off.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel, upsample

#: Kernel and stride of the windows over which the pyramid averages.
WINDOWS = ((5, 2), (9, 4), (17, 8))


@dataclass(frozen=True)
class DDRNetConfig(ModelConfig):
    """Arguments of DDRNet.

    Attributes:
        width: channels after the stem; 32 makes it slim.
        pyramid_width: channels of each branch of the pyramid at 1/64.
        head_width: channels before the classifier.
    """

    width: int = 32
    pyramid_width: int = 128
    head_width: int = 64


class Basic(nn.Module):
    """Two 3x3 convolutions; residual. The sum is rectified only where `rectified`."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int, rectified: bool) -> None:
        super().__init__()
        self.rectified = rectified
        self.body = nn.Sequential(
            *_conv(inputs, channels, 3, stride), nn.ReLU(), *_conv(channels, channels, 3)
        )
        self.shortcut = _shortcut(inputs, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, channels, h / stride, w / stride)."""
        y: Tensor = self.body(x) + self.shortcut(x)
        return F.relu(y) if self.rectified else y


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1, twice the channels; residual, and not rectified."""

    expansion = 2

    def __init__(self, inputs: int, channels: int, stride: int, rectified: bool = False) -> None:
        super().__init__()
        self.rectified = rectified
        self.body = nn.Sequential(
            *_conv(inputs, channels, 1),
            nn.ReLU(),
            *_conv(channels, channels, 3, stride),
            nn.ReLU(),
            *_conv(channels, 2 * channels, 1),
        )
        self.shortcut = _shortcut(inputs, 2 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, 2 * channels, h / stride, w / stride)."""
        y: Tensor = self.body(x) + self.shortcut(x)
        return F.relu(y) if self.rectified else y


class Pyramid(nn.Module):
    """Means over ever wider windows, each added to the branch before it, and a shortcut.

    Args:
        inputs: channels.
        width: of each branch.
        outputs: channels.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        pools = [nn.AvgPool2d(kernel, stride, kernel // 2) for kernel, stride in WINDOWS]
        self.looks = nn.ModuleList(
            nn.Sequential(pool, *_preactivated(inputs, width))
            for pool in (nn.Identity(), *pools, nn.AdaptiveAvgPool2d(1))
        )
        self.merges = nn.ModuleList(
            nn.Sequential(*_preactivated(width, width, 3)) for _ in self.looks[1:]
        )
        self.compression = nn.Sequential(*_preactivated(width * len(self.looks), outputs))
        self.shortcut = nn.Sequential(*_preactivated(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        size = (x.shape[-2], x.shape[-1])
        seen = [self.looks[0](x)]
        for look, merge in zip(self.looks[1:], self.merges, strict=True):
            seen.append(merge(upsample(look(x), size) + seen[-1]))
        y: Tensor = self.compression(torch.cat(seen, dim=1)) + self.shortcut(x)
        return y


class DDRNet(SegModel):
    """DDRNet; logits at 1/8."""

    Config = DDRNetConfig
    decoder_parts = ("head",)
    stride = 8

    def __init__(self, config: DDRNetConfig) -> None:
        super().__init__(config)
        width = config.width
        fine = 2 * width
        self.stem = nn.Sequential(
            *_conv(3, width, 3, 2, bias=True), nn.ReLU(), *_conv(width, width, 3, 2, bias=True)
        )
        self.layer1 = _layer(width, width)
        self.layer2 = _layer(width, 2 * width, 2)
        self.layer3, self.fine3 = _layer(2 * width, 4 * width, 2), _layer(2 * width, fine)
        self.layer4, self.fine4 = _layer(4 * width, 8 * width, 2), _layer(fine, fine)
        self.layer5 = Bottleneck(8 * width, 8 * width, 2)
        self.fine5 = Bottleneck(fine, fine, 1)
        self.up3 = nn.Sequential(*_conv(4 * width, fine, 1))
        self.up4 = nn.Sequential(*_conv(8 * width, fine, 1))
        self.down3 = nn.Sequential(*_conv(fine, 4 * width, 3, 2))
        self.down4 = nn.Sequential(
            *_conv(fine, 4 * width, 3, 2), nn.ReLU(), *_conv(4 * width, 8 * width, 3, 2)
        )
        self.pyramid = Pyramid(16 * width, config.pyramid_width, 4 * width)
        self.head = nn.Sequential(
            *_preactivated(4 * width, config.head_width, 3),
            *_preactivated(config.head_width, config.num_classes, bias=True),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H' / 8, W' / 8) with both sides padded to multiples of 8."""
        x = self.layer2(F.relu(self.layer1(F.relu(self.stem(self.pad(images))))))
        fine, size = x, (x.shape[-2], x.shape[-1])
        x, fine = self._exchanged(F.relu(x), F.relu(fine), 3)
        x, fine = self._exchanged(F.relu(x), F.relu(fine), 4)
        fine = self.fine5(F.relu(fine))
        logits: Tensor = self.head(upsample(self.pyramid(self.layer5(F.relu(x))), size) + fine)
        return logits

    def _exchanged(self, coarse: Tensor, fine: Tensor, stage: int) -> tuple[Tensor, Tensor]:
        """Both branches through a stage, each with the other one added."""
        coarse = self.get_submodule(f"layer{stage}")(coarse)
        fine = self.get_submodule(f"fine{stage}")(fine)
        size = (fine.shape[-2], fine.shape[-1])
        down = self.get_submodule(f"down{stage}")(F.relu(fine))
        up = self.get_submodule(f"up{stage}")(F.relu(coarse))
        return coarse + down, fine + upsample(up, size)


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False
) -> tuple[nn.Module, ...]:
    """A convolution and BatchNorm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
    return conv, nn.BatchNorm2d(outputs)


def _preactivated(
    inputs: int, outputs: int, kernel: int = 1, bias: bool = False
) -> tuple[nn.Module, ...]:
    """BatchNorm and ReLU before a convolution."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    return nn.BatchNorm2d(inputs), nn.ReLU(), conv


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(*_conv(inputs, outputs, 1, stride))


def _layer(inputs: int, channels: int, stride: int = 1) -> nn.Sequential:
    """Two blocks; what the second one sums is not rectified."""
    return nn.Sequential(Basic(inputs, channels, stride, True), Basic(channels, channels, 1, False))
