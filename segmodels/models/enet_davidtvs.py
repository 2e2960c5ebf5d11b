"""ENet (Paszke et al., arXiv 1606.02147), as github.com/davidtvs/PyTorch-ENet ports it.

Unlike the authors' it has one slope per PReLU instead of one per channel, an activation behind
every convolution (also where channels are widened again), no biases, and more channels within the
blocks that enlarge and fewer within those that halve. Attribute names follow its released files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.enet import EARLY, EIGHTH, LATE

Activation = Callable[[], nn.Module]

#: Names of the blocks behind the one that halves the map, by their dilation.
_KINDS = {0: "asymmetric", 1: "regular"}


@dataclass(frozen=True)
class ENetDavidtvsConfig(ModelConfig):
    """Arguments of this ENet: `num_classes` alone; its CamVid weights have 12, void last."""


class Initial(nn.Module):
    """A convolution of stride 2 beside a pooled image: 16 channels at 1/2."""

    def __init__(self) -> None:
        super().__init__()
        self.main_branch = nn.Conv2d(3, 13, 3, stride=2, padding=1, bias=False)
        self.batch_norm = nn.BatchNorm2d(16)
        self.out_activation = nn.PReLU()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w), even sides, to (B, 16, h / 2, w / 2)."""
        pooled = F.max_pool2d(images, 3, stride=2, padding=1)
        both = torch.cat([self.main_branch(images), pooled], dim=1)
        y: Tensor = self.out_activation(self.batch_norm(both))
        return y


class Block(nn.Module):
    """Fewer channels, a convolution, as many channels again; residual.

    Args:
        channels: in and out.
        dilation: of the convolution; 0 makes it a 5x1 and a 1x5.
        dropout: rate of dropped channels.
        act: makes an activation.
    """

    def __init__(
        self, channels: int, dilation: int, dropout: float, act: Activation = nn.PReLU
    ) -> None:
        super().__init__()
        width = channels // 4
        self.ext_conv1 = _unit(nn.Conv2d(channels, width, 1, bias=False), act)
        self.ext_conv2 = _middle(width, dilation, act)
        self.ext_conv3 = _unit(nn.Conv2d(width, channels, 1, bias=False), act)
        self.ext_regul = nn.Dropout2d(dropout)
        self.out_activation = act()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        y = self.ext_regul(self.ext_conv3(self.ext_conv2(self.ext_conv1(x))))
        out: Tensor = self.out_activation(x + y)
        return out


class Down(nn.Module):
    """Halves a map and widens it; the shortcut is its maxima and channels of 0."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        width, self.missing = inputs // 4, outputs - inputs
        self.ext_conv1 = _unit(nn.Conv2d(inputs, width, 2, stride=2, bias=False))
        self.ext_conv2 = _unit(nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.ext_conv3 = _unit(nn.Conv2d(width, outputs, 1, bias=False))
        self.ext_regul = nn.Dropout2d(dropout)
        self.out_activation = nn.PReLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, inputs, h, w) to (B, outputs, h / 2, w / 2), and where its maxima were."""
        pooled, places = F.max_pool2d(x, 2, return_indices=True)
        batch, _, height, width = pooled.shape
        shortcut = torch.cat([pooled, x.new_zeros(batch, self.missing, height, width)], dim=1)
        y = self.ext_regul(self.ext_conv3(self.ext_conv2(self.ext_conv1(x))))
        return self.out_activation(shortcut + y), places


class Up(nn.Module):
    """Doubles a map; the shortcut puts values back where pooling took them from."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        width = inputs // 4
        self.main_conv1 = _norm(nn.Conv2d(inputs, outputs, 1, bias=False), outputs)
        self.ext_conv1 = _unit(nn.Conv2d(inputs, width, 1, bias=False), nn.ReLU)
        self.ext_tconv1 = nn.ConvTranspose2d(width, width, 2, stride=2, bias=False)
        self.ext_tconv1_bnorm = nn.BatchNorm2d(width)
        self.ext_conv2 = _norm(nn.Conv2d(width, outputs, 1, bias=False), outputs)
        self.ext_regul = nn.Dropout2d(LATE)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """(B, inputs, h, w) and indices of max pooling (B, outputs, h, w) to twice the sides."""
        main = F.max_unpool2d(self.main_conv1(x), places, [2, 2])
        y = F.relu(self.ext_tconv1_bnorm(self.ext_tconv1(self.ext_conv1(x))))
        return F.relu(main + self.ext_regul(self.ext_conv2(y)))


class ENetDavidtvs(SegModel):
    """ENet; logits come at full (padded) resolution."""

    Config = ENetDavidtvsConfig
    decoder_parts = (
        *("upsample4_0", "regular4_1", "regular4_2"),
        *("upsample5_0", "regular5_1", "transposed_conv"),
    )
    stride = 8

    def __init__(self, config: ENetDavidtvsConfig) -> None:
        super().__init__(config)
        self.initial_block = Initial()
        self.downsample1_0 = Down(16, 64, EARLY)
        for number in range(1, 5):
            setattr(self, f"regular1_{number}", Block(64, 1, EARLY))
        self.downsample2_0 = Down(64, 128, LATE)
        self._eighth = [
            f"{_KINDS.get(dilation, 'dilated')}{stage}_{number}"
            for stage, first in ((2, 1), (3, 0))
            for number, dilation in enumerate(EIGHTH, first)
        ]
        for name, dilation in zip(self._eighth, EIGHTH * 2, strict=True):
            setattr(self, name, Block(128, dilation, LATE))
        self.upsample4_0 = Up(128, 64)
        self.regular4_1, self.regular4_2 = (Block(64, 1, LATE, nn.ReLU) for _ in range(2))
        self.upsample5_0 = Up(64, 16)
        self.regular5_1 = Block(16, 1, LATE, nn.ReLU)
        self.transposed_conv = nn.ConvTranspose2d(
            16, config.num_classes, 3, 2, 1, output_padding=1, bias=False
        )

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 8."""
        x, from_half = self.downsample1_0(self.initial_block(self.pad(images)))
        for number in range(1, 5):
            x = self.get_submodule(f"regular1_{number}")(x)
        x, from_quarter = self.downsample2_0(x)
        for name in self._eighth:
            x = self.get_submodule(name)(x)
        x = self.regular4_2(self.regular4_1(self.upsample4_0(x, from_quarter)))
        logits: Tensor = self.transposed_conv(self.regular5_1(self.upsample5_0(x, from_half)))
        return logits


def _norm(conv: nn.Conv2d, channels: int) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


def _unit(conv: nn.Conv2d, act: Activation = nn.PReLU) -> nn.Sequential:
    """A convolution, BatchNorm and an activation."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), act())


def _middle(width: int, dilation: int, act: Activation) -> nn.Sequential:
    """The convolution between the two of 1x1."""
    if dilation:
        conv = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        return _unit(conv, act)
    column = nn.Conv2d(width, width, (5, 1), padding=(2, 0), bias=False)
    row = nn.Conv2d(width, width, (1, 5), padding=(0, 2), bias=False)
    return nn.Sequential(*_unit(column, act), *_unit(row, act))
