"""Convolution, BatchNorm and PReLU: what ESPNet, ESPNetv2 and CGNet are made of.

Attribute names follow the released files. The eps of BatchNorm is 1e-3 in ESPNet and CGNet.
"""

from __future__ import annotations

from torch import Tensor, nn


class Conv(nn.Module):
    """Convolution without bias that keeps the size (dilated or not), or divides it by its stride.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: side.
        stride: in both directions.
        dilation: in both directions.
        groups: of channels that are convolved by themselves.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        padding = (kernel - 1) // 2 * dilation
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation=dilation, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / stride, w / stride)."""
        y: Tensor = self.conv(x)
        return y


class NormAct(nn.Module):
    """BatchNorm and one PReLU slope per channel."""

    def __init__(self, channels: int, eps: float = 1e-3) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=eps)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        y: Tensor = self.act(self.bn(x))
        return y


class ConvNormAct(NormAct):
    """The two above in one."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        eps: float = 1e-3,
    ) -> None:
        super().__init__(outputs, eps)
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / stride, w / stride)."""
        return super().forward(self.conv(x))
