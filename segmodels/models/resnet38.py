"""ResNet-38 (Wu, Shen, van den Hengel, arXiv 1611.10080), model A1 at 1/8: wide and shallow.

Strides take the place of pools, the last two levels are dilated, and two 3x3 convolutions of
dilation 12 classify. As the authors' code builds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig
from segmodels.models.convolution import keep_strength
from segmodels.models.encoder_decoder import ConvolutionalNetwork

#: Of both convolutions that classify.
HEAD_DILATION = 12


@dataclass(frozen=True)
class ResNet38Config(ModelConfig):
    """Arguments of ResNet-38.

    Attributes:
        width: channels of the first convolution; the last level has 64 times as many.
        channels: of the head.
    """

    width: int = 64
    channels: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "channels"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class Stage(nn.Module):
    """BatchNorm, ReLU, convolution; whole channels may be dropped before the convolution."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        rate = dilation if kernel > 1 else 1
        self.dropout = dropout
        self.bn = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, rate * (kernel // 2), rate, bias=False
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A map (B, inputs, h, w) to (B, outputs, ⌈h / stride⌉, ⌈w / stride⌉).

        Beside it what the convolution sees.
        """
        activated = F.relu(self.bn(x))
        seen = F.dropout2d(activated, self.dropout, self.training) if self.dropout else activated
        return self.conv(seen), activated


class Block(nn.Module):
    """Stages beside an identity, or beside a 1x1 convolution where channels change.

    Args:
        inputs: channels.
        widths: of each stage.
        kernels: of each stage.
        stride: of the first stage.
        dilations: of the first stage and of the others.
        project: whether channels or size change.
        dropout: of whole channels before the last stage's convolution.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        kernels: Sequence[int],
        *,
        stride: int = 1,
        dilations: tuple[int, int] = (1, 1),
        project: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        first, rest = dilations
        before = [inputs, *widths[:-1]]
        stages = [Stage(before[0], widths[0], kernels[0], stride, first)]
        for number in range(1, len(widths)):
            rate = dropout if number == len(widths) - 1 else 0.0
            stages.append(Stage(before[number], widths[number], kernels[number], 1, rest, rate))
        self.stages = nn.ModuleList(stages)
        self.shortcut = nn.Conv2d(inputs, widths[-1], 1, stride, bias=False) if project else None

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to one of the last width."""
        first, *others = self.stages
        y, activated = first(x)
        for stage in others:
            y, _ = stage(y)
        together: Tensor = y + (x if self.shortcut is None else self.shortcut(activated))
        return together


def levels(width: int) -> nn.Sequential:
    """The network without its head, at 1/8, 64 times ``width`` channels."""
    blocks: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False)]
    inputs = width
    for factor, depth in ((2, 3), (4, 3), (8, 6)):
        outputs = factor * width
        blocks.append(Block(inputs, [outputs] * 2, (3, 3), stride=2, project=True))
        blocks += [Block(outputs, [outputs] * 2, (3, 3)) for _ in range(depth - 1)]
        inputs = outputs
    five = [8 * width, 16 * width]
    blocks.append(Block(inputs, five, (3, 3), dilations=(1, 2), project=True))
    blocks += [Block(five[-1], five, (3, 3), dilations=(2, 2)) for _ in range(2)]
    for first in (8, 16):
        widths = [first * width, 2 * first * width, 4 * first * width]
        inputs = 2 * first * width
        blocks.append(Block(inputs, widths, (1, 3, 1), dilations=(4, 4), project=True))
    return nn.Sequential(*blocks, nn.BatchNorm2d(64 * width), nn.ReLU())


class ResNet38(ConvolutionalNetwork):
    """Takes images of any size, gives logits at 1/8 (rounded up)."""

    Config = ResNet38Config

    def __init__(self, config: ResNet38Config) -> None:
        rate = HEAD_DILATION
        head = nn.Sequential(
            nn.Conv2d(64 * config.width, config.channels, 3, padding=rate, dilation=rate),
            nn.ReLU(),
            nn.Conv2d(config.channels, config.num_classes, 3, padding=rate, dilation=rate),
        )
        super().__init__(config, levels(config.width), head)
        self.apply(keep_strength)
