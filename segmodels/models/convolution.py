"""Convolution, BatchNorm, ReLU: what every convolutional head is made of.

Attribute names follow mmsegmentation's checkpoints (``conv``, ``bn``, ``depthwise_conv``,
``pointwise_conv``), so their keys are our keys.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.folding import Foldable, fold_batch_norm


class ConvBN(Foldable):
    """Convolution without bias that keeps the resolution or divides it, BatchNorm, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        dilation: int = 1,
        groups: int = 1,
        stride: int = 1,
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation, groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to (B, outputs, ⌈h / stride⌉, ⌈w / stride⌉)."""
        products = self.products
        if products is None:
            return F.relu(self.bn(self.conv(x)), inplace=True)
        weight, bias = products
        # Not F.conv2d: the module knows its padding, dilation and groups.
        return F.relu(self.conv._conv_forward(x, weight, bias), inplace=True)

    def fold(self) -> tuple[Tensor, ...]:
        """Weight and bias of the convolution with BatchNorm inside."""
        scale, shift = fold_batch_norm(self.bn)
        return self.conv.weight * scale[:, None, None, None], shift


class SeparableConvBN(nn.Module):
    """A 3x3 convolution per channel, then a 1x1 across channels; BatchNorm and ReLU after each."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvBN(inputs, inputs, 3, dilation, groups=inputs)
        self.pointwise_conv = ConvBN(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to (B, outputs, h, w)."""
        y: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return y


def keep_strength(module: nn.Module) -> None:
    """Draw weights of a convolution that keep the strength of a signal, with biases 0.

    For networks without BatchNorm behind every convolution (He et al., arXiv 1502.01852).
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
