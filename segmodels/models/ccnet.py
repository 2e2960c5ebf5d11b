"""CCNet (Huang et al., ICCV 2019, arXiv 1811.11721): attention along a pixel's row and column.

It is the network that mmsegmentation publishes under this name and papers quote: a dilated
ResNet-V1c at 1/8 of the image, the attention applied twice with the same weights. Attribute names
follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.fcn import DilatedNetwork, FCNConfig, FCNHead


@dataclass(frozen=True)
class CCNetConfig(FCNConfig):
    """Arguments of CCNet.

    Attributes:
        recurrence: how often the attention is applied; twice reaches every pixel from every other.
    """

    backbone: str = "resnet101c"
    recurrence: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recurrence < 1:
            raise SegmodelsError(f"recurrence must be at least 1, got {self.recurrence}.")
        if self.channels < CrissCross.REDUCTION:
            raise SegmodelsError(
                f"channels must be at least {CrissCross.REDUCTION}, got {self.channels}."
            )


class Scale(nn.Module):
    """One learned factor (1), under the name the checkpoints use; a scalar cannot be shared out."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))


class CrissCross(nn.Module):
    """Every pixel looks at those of its row and its column, at itself once (section 3.2)."""

    #: Channels of the map over channels of query and key.
    REDUCTION = 8

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, channels // self.REDUCTION, 1)
        self.key_conv = nn.Conv2d(channels, channels // self.REDUCTION, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = Scale()

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to one of the same shape."""
        query, key, value = self.query_conv(x), self.key_conv(x), self.value_conv(x)
        height = x.shape[-2]
        itself = torch.eye(height, dtype=torch.bool, device=x.device)
        in_column = by_column(query) @ by_column(key).transpose(-1, -2)
        in_column = in_column.masked_fill(itself, -torch.inf).transpose(1, 2)
        in_row = by_row(query) @ by_row(key).transpose(-1, -2)
        weights = torch.cat([in_column, in_row], dim=-1).softmax(dim=-1)  # (B, h, w, h + w)
        of_column = weights[..., :height].transpose(1, 2) @ by_column(value)
        of_row = weights[..., height:] @ by_row(value)
        seen = (of_column.transpose(1, 2) + of_row).permute(0, 3, 1, 2)
        together: Tensor = self.gamma.scale * seen + x
        return together


def by_row(x: Tensor) -> Tensor:
    """A map (B, C, h, w) as (B, h, w, C)."""
    return x.permute(0, 2, 3, 1)


def by_column(x: Tensor) -> Tensor:
    """A map (B, C, h, w) as (B, w, h, C)."""
    return x.permute(0, 3, 2, 1)


class CCHead(FCNHead):
    """FCN's head of two convolutions, with the attention between them."""

    def __init__(
        self, inputs: int, channels: int, num_classes: int, dropout: float, recurrence: int
    ) -> None:
        super().__init__(inputs, channels, num_classes, dropout)
        self.recurrence = recurrence
        self.cca = CrissCross(channels)

    def between(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to one of the same shape."""
        for _ in range(self.recurrence):
            x = self.cca(x)
        return x

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone, of which the last is used, to logits of its size."""
        x = maps[-1]
        first, second = self.convs
        y = second(self.between(first(x)))
        assert self.conv_cat is not None
        return self.classify(self.conv_cat(torch.cat([x, y], dim=1)))


class CCNet(DilatedNetwork):
    """CCNet; takes images of any size, gives logits at 1/8 (rounded up)."""

    Config = CCNetConfig

    def __init__(self, config: CCNetConfig) -> None:
        sizes = config.channels, config.num_classes, config.dropout, config.recurrence
        super().__init__(config, lambda widths: CCHead(widths[-1], *sizes))
