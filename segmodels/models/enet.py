"""ENet (Paszke et al., arXiv 1606.02147), as github.com/ntkhoa95/ENet_PyTorch builds it.

It differs from the paper in places: a block that halves the map reduces channels by a 1x1
convolution of stride 1 where the paper has 2x2 of stride 2, the first block's pooled channels are
not normalised, and one PReLU slope serves a whole block. Attribute names follow its released files,
which store that slope under four names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel

#: Rate of dropped channels in the first stage, and behind it (section 4 of the paper).
EARLY, LATE = 0.01, 0.1

#: The eight blocks at 1/8: dilation, or 0 for the one whose convolution is 1x5 and 5x1.
EIGHTH = (1, 2, 0, 4, 1, 8, 0, 16)


@dataclass(frozen=True)
class ENetConfig(ModelConfig):
    """Arguments of ENet: `num_classes` alone; the released CamVid weights have 12, void last."""


class Initial(nn.Module):
    """A convolution of stride 2 beside a pooled image: 16 channels at 1/2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 13, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(13)
        self.activation = nn.PReLU(16)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, h, w), even sides, to (B, 16, h / 2, w / 2)."""
        both = torch.cat([self.norm(self.conv(images)), F.max_pool2d(images, 2)], dim=1)
        y: Tensor = self.activation(both)
        return y


class Block(nn.Module):
    """Fewer channels, a 3x3 convolution, as many channels again; residual.

    Args:
        inputs: channels.
        outputs: channels; more than `inputs` where the map is halved.
        dilation: of the convolution; 0 makes it a 1x5 and a 5x1.
        down: whether the map is halved.
        dropout: rate of dropped channels.
    """

    def __init__(
        self, inputs: int, outputs: int, dilation: int, down: bool, dropout: float
    ) -> None:
        super().__init__()
        self.down, self.missing, self.dropout = down, outputs - inputs, dropout
        width = (inputs if down else outputs) // 4
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.asymmetric = dilation == 0
        if self.asymmetric:
            self.conv21 = nn.Conv2d(width, width, (1, 5), padding=(0, 2), bias=False)
            self.conv22 = nn.Conv2d(width, width, (5, 1), padding=(2, 0), bias=False)
        else:
            self.conv2 = nn.Conv2d(width, width, 3, 1 + down, dilation, dilation)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w), or of half the sides."""
        y = self.activation(self.norm1(self.conv1(x)))
        y = self.conv22(self.conv21(y)) if self.asymmetric else self.conv2(y)
        y = self.norm3(self.conv3(self.activation(self.norm2(y))))
        y = F.dropout2d(y, self.dropout, self.training)
        out: Tensor = self.activation(y + (self._shortcut(x) if self.down else x))
        return out

    def _shortcut(self, x: Tensor) -> Tensor:
        pooled = F.max_pool2d(x, 2)
        batch, _, height, width = pooled.shape
        return torch.cat([pooled, x.new_zeros(batch, self.missing, height, width)], dim=1)


class Up(nn.Module):
    """Doubles a map; the shortcut puts values back where pooling took them from."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        width, self.dropout = inputs // 4, dropout
        self.main_conv = nn.Conv2d(inputs, outputs, 1)
        self.convt1 = nn.ConvTranspose2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.convt2 = nn.ConvTranspose2d(width, width, 3, 2, 1, output_padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.convt3 = nn.ConvTranspose2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """(B, inputs, h, w) and indices of max pooling (B, outputs, h, w) to twice the sides."""
        y = self.activation(self.norm1(self.convt1(x)))
        y = self.activation(self.norm2(self.convt2(y)))
        y = F.dropout2d(self.norm3(self.convt3(y)), self.dropout, self.training)
        out: Tensor = self.activation(y + F.max_unpool2d(self.main_conv(x), places, [2, 2]))
        return out


class ENet(SegModel):
    """ENet; logits come at full (padded) resolution."""

    Config = ENetConfig
    decoder_parts = ("b40", "b41", "b42", "b50", "b51", "fullconv")
    stride = 8

    def __init__(self, config: ENetConfig) -> None:
        super().__init__(config)
        self.initial = Initial()
        self.b10 = Block(16, 64, 1, True, EARLY)
        for number in range(11, 15):
            setattr(self, f"b{number}", Block(64, 64, 1, False, EARLY))
        self.b20 = Block(64, 128, 1, True, LATE)
        for stage in (20, 30):
            for number, dilation in enumerate(EIGHTH, stage + 1):
                setattr(self, f"b{number}", Block(128, 128, dilation, False, LATE))
        self.b40 = Up(128, 64, LATE)
        self.b41, self.b42 = (Block(64, 64, 1, False, LATE) for _ in range(2))
        self.b50 = Up(64, 16, LATE)
        self.b51 = Block(16, 16, 1, False, LATE)
        self.fullconv = nn.ConvTranspose2d(
            16, config.num_classes, 3, 2, 1, output_padding=1, bias=False
        )

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 8."""
        half = self.initial(self.pad(images))
        quarter = self._through(self.b10(half), range(11, 15))
        eighth = self._through(self.b20(quarter), (*range(21, 29), *range(31, 39)))
        x = self._through(self.b40(eighth, _places(quarter)), (41, 42))
        logits: Tensor = self.fullconv(self.b51(self.b50(x, _places(half))))
        return logits

    def _through(self, x: Tensor, numbers: range | tuple[int, ...]) -> Tensor:
        for number in numbers:
            x = getattr(self, f"b{number}")(x)
        return x


def _places(x: Tensor) -> Tensor:
    """Where the largest of every 2x2 values of (B, C, h, w) lies, int64 (B, C, h / 2, w / 2)."""
    _, found = F.max_pool2d(x, 2, return_indices=True)
    return found
