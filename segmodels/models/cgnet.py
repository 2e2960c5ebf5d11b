"""CGNet (Wu et al., IEEE Transactions on Image Processing 30, arXiv 1811.08201): context guided.

Every block looks at a pixel's neighbourhood, at a wider one through a dilated convolution, and
weighs channels by what the whole map holds. Attribute names follow the released file, so its keys
are our keys; `conv1x1` of a block that halves the map is a 3x3 convolution there, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.core.arguments import whole
from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.prelu_convolution import Conv, ConvNormAct, NormAct

STEM, STAGE2, STAGE3 = 32, 64, 128

#: Dilation, and channels divided by the width of the gate's bottleneck, of stages 2 and 3.
DILATIONS, REDUCTIONS = (2, 4), (8, 16)


@dataclass(frozen=True)
class CGNetConfig(ModelConfig):
    """Arguments of CGNet.

    Attributes:
        m: blocks at 1/4 resolution, the one that halves the map among them.
        n: blocks at 1/8 resolution, likewise.
    """

    m: int = 3
    n: int = 21

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("m", "n"):
            whole(name, getattr(self, name), least=1)


class GlobalGate(nn.Module):
    """Weighs every channel by a perceptron on the means of all channels."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = channels // reduction
        self.fc = nn.Sequential(
            nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        weights: Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * weights[:, :, None, None]


class Surroundings(nn.Module):
    """A 3x3 convolution of each channel, and a dilated one, side by side."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.F_loc = Conv(channels, channels, 3, groups=channels)
        self.F_sur = Conv(channels, channels, 3, dilation=dilation, groups=channels)

    def joined(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to (B, 2 channels, h, w)."""
        return torch.cat([self.F_loc(x), self.F_sur(x)], dim=1)


class DownBlock(Surroundings):
    """Context-guided block that halves the map."""

    def __init__(self, inputs: int, outputs: int, dilation: int, reduction: int) -> None:
        super().__init__(outputs, dilation)
        self.conv1x1 = ConvNormAct(inputs, outputs, 3, stride=2)
        self.bn = nn.BatchNorm2d(2 * outputs, eps=1e-3)
        self.act = nn.PReLU(2 * outputs)
        self.reduce = Conv(2 * outputs, outputs, 1)
        self.F_glo = GlobalGate(outputs, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / 2, w / 2), halves rounded up."""
        joined = self.act(self.bn(self.joined(self.conv1x1(x))))
        y: Tensor = self.F_glo(self.reduce(joined))
        return y


class Block(Surroundings):
    """Context-guided block with a shortcut around it; nothing follows the sum."""

    def __init__(self, channels: int, dilation: int, reduction: int) -> None:
        super().__init__(channels // 2, dilation)
        self.conv1x1 = ConvNormAct(channels, channels // 2, 1)
        self.bn_prelu = NormAct(channels)
        self.F_glo = GlobalGate(channels, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        y: Tensor = self.F_glo(self.bn_prelu(self.joined(self.conv1x1(x))))
        return x + y


class CGNet(SegModel):
    """CGNet; takes images of any size, gives logits at 1/8 (rounded up)."""

    Config = CGNetConfig
    decoder_parts = ("classifier",)

    def __init__(self, config: CGNetConfig) -> None:
        super().__init__(config)
        self.level1_0 = ConvNormAct(3, STEM, 3, stride=2)
        self.level1_1 = ConvNormAct(STEM, STEM, 3)
        self.level1_2 = ConvNormAct(STEM, STEM, 3)
        self.b1 = NormAct(STEM + 3)
        self.level2_0 = DownBlock(STEM + 3, STAGE2, DILATIONS[0], REDUCTIONS[0])
        self.level2 = nn.ModuleList(
            Block(STAGE2, DILATIONS[0], REDUCTIONS[0]) for _ in range(config.m - 1)
        )
        self.bn_prelu_2 = NormAct(2 * STAGE2 + 3)
        self.level3_0 = DownBlock(2 * STAGE2 + 3, STAGE3, DILATIONS[1], REDUCTIONS[1])
        self.level3 = nn.ModuleList(
            Block(STAGE3, DILATIONS[1], REDUCTIONS[1]) for _ in range(config.n - 1)
        )
        self.bn_prelu_3 = NormAct(2 * STAGE3)
        self.classifier = nn.Sequential(Conv(2 * STAGE3, config.num_classes, 1))

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, h, w) at 1/8 of the images, rounded up."""
        half = F.avg_pool2d(images, 3, stride=2, padding=1)
        quarter = F.avg_pool2d(half, 3, stride=2, padding=1)
        x = self.level1_2(self.level1_1(self.level1_0(images)))
        down = x = self.level2_0(self.b1(torch.cat([x, half], dim=1)))
        for block in self.level2:
            x = block(x)
        # The block that halves the map comes second here, and first below.
        down = x = self.level3_0(self.bn_prelu_2(torch.cat([x, down, quarter], dim=1)))
        for block in self.level3:
            x = block(x)
        logits: Tensor = self.classifier(self.bn_prelu_3(torch.cat([down, x], dim=1)))
        return logits
