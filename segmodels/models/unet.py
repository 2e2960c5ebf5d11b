"""A small plain U-Net (after Ronneberger et al., MICCAI 2015, arXiv 1505.04597).

BatchNorm and padded convolutions as everybody uses them today; the size is ours. It is
the model to train from scratch on a laptop.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel


@dataclass(frozen=True)
class UNetConfig(ModelConfig):
    """Arguments of the U-Net.

    Attributes:
        width: channels at full resolution; they double with every level.
        levels: resolutions, the full one included; 4 reaches 1/8.
    """

    width: int = 32
    levels: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.levels < 1:
            raise SegmodelsError(
                f"A U-Net needs a width and levels of at least 1, got {self.width}, {self.levels}."
            )


class Up(nn.Module):
    """Double the resolution and merge with the encoder's map of that resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.merge = _two_convs(2 * outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, inputs, h, w) and (B, outputs, 2h, 2w) to (B, outputs, 2h, 2w)."""
        y: Tensor = self.merge(torch.cat([skip, self.up(x)], dim=1))
        return y


class UNet(SegModel):
    """U-Net with BatchNorm and ReLU; logits come at full (padded) resolution."""

    Config = UNetConfig
    decoder_parts = ("up", "classifier")

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        self.stride = 2 ** (config.levels - 1)
        widths = [config.width * 2**level for level in range(config.levels)]
        inputs = [3, *widths[:-1]]
        self.down = nn.ModuleList(map(_two_convs, inputs, widths))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(map(Up, widths[:0:-1], widths[-2::-1]))
        self.classifier = nn.Conv2d(config.width, config.num_classes, 1)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of the stride."""
        x, skips = self.pad(images), []
        for level, convs in enumerate(self.down):
            x = convs(self.pool(x) if level else x)
            skips.append(x)
        for up, skip in zip(self.up, skips[-2::-1], strict=True):
            x = up(x, skip)
        logits: Tensor = self.classifier(x)
        return logits


def _two_convs(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_conv(inputs, outputs), *_conv(outputs, outputs))


def _conv(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
