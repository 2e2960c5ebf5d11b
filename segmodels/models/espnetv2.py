"""ESPNetv2 (Mehta et al., CVPR 2019, arXiv 1811.11431): depthwise dilated pyramids of few channels.

Facts from the authors' code (github.com/sacmehta/EdgeNets at 2b232d3), whose decoder is newer than
the paper. Attribute names of the encoder follow the released files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel, one_of
from segmodels.models.edgenets import EPS, Decoder, draw
from segmodels.models.prelu_convolution import Conv, ConvNormAct, NormAct

BRANCHES = 4
#: Dilations of the branches, by the widest that a stage allows. Those that would see farther than
#: the widest see only their neighbours, and come first.
DILATIONS: Mapping[int, tuple[int, ...]] = {4: (1, 2, 3, 4), 3: (1, 1, 2, 3)}
#: Blocks behind the one that halves the map, at 1/8 and at 1/16.
DEPTHS = (3, 7)
#: Channels at 1/2, 1/4, 1/8 and 1/16 by the scale s.
WIDTHS: Mapping[str, tuple[int, int, int, int]] = {
    "0.5": (16, 32, 64, 128),
    "1.0": (32, 64, 128, 256),
    "1.25": (32, 80, 160, 320),
    "1.5": (32, 96, 192, 384),
    "2.0": (32, 128, 256, 512),
}


@dataclass(frozen=True)
class ESPNetv2Config(ModelConfig):
    """Arguments of ESPNetv2; the VOC weights have 21 classes, the Cityscapes weights 20.

    Attributes:
        scale: the factor s of the paper as it is written there, which decides all widths of the
            encoder.
        decoder_width: channels of the finest map of the decoder are twice this, of the coarsest
            four times.
    """

    scale: str = "1.0"
    decoder_width: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("scale", self.scale, tuple(WIDTHS))


class ConvNorm(Conv):
    """Convolution without bias and BatchNorm."""

    def __init__(self, inputs: int, outputs: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, 1, groups=groups)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        y: Tensor = self.bn(super().forward(x))
        return y


class EESP(nn.Module):
    """Reduce by grouped 1x1, look at four distances, add up from near to far, and mix by 1x1.

    Args:
        inputs: channels.
        outputs: channels.
        farthest: the widest dilation, a key of `DILATIONS`.
        stride: 2 halves the map; then neither input nor activation follows.
    """

    def __init__(self, inputs: int, outputs: int, farthest: int, stride: int = 1) -> None:
        super().__init__()
        width, self.stride = outputs // BRANCHES, stride
        self.proj_1x1 = ConvNormAct(inputs, width, 1, groups=BRANCHES, eps=EPS)
        self.spp_dw = nn.ModuleList(
            Conv(width, width, 3, stride, dilation, groups=width)
            for dilation in DILATIONS[farthest]
        )
        self.conv_1x1_exp = ConvNorm(outputs, outputs, BRANCHES)
        self.br_after_cat = NormAct(outputs, EPS)
        # Where the map is halved nothing passes through it; the files hold it all the same.
        self.module_act = nn.PReLU(outputs).requires_grad_(stride == 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h / stride, w / stride)."""
        reduced = self.proj_1x1(x)
        first, *others = (branch(reduced) for branch in self.spp_dw)
        parts = [first]
        for part in others:
            parts.append(parts[-1] + part)
        mixed: Tensor = self.conv_1x1_exp(self.br_after_cat(torch.cat(parts, dim=1)))
        if self.stride > 1:
            return mixed
        y: Tensor = self.module_act(mixed + x)
        return y


class Down(nn.Module):
    """Halves a map: its means beside an EESP of it, plus what the shrunken image says.

    Args:
        inputs: channels.
        outputs: channels.
        farthest: the widest dilation.
    """

    def __init__(self, inputs: int, outputs: int, farthest: int = 4) -> None:
        super().__init__()
        self.eesp = EESP(inputs, outputs - inputs, farthest, stride=2)
        self.inp_reinf = nn.Sequential(ConvNormAct(3, 3, 3, eps=EPS), ConvNorm(3, outputs))
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """(B, inputs, h, w) and the image at half of that to (B, outputs, h / 2, w / 2)."""
        both = torch.cat([_halved(x), self.eesp(x)], dim=1)
        y: Tensor = self.act(both + self.inp_reinf(image))
        return y


class Encoder(nn.Module):
    """The classification network without what follows 1/16."""

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.level1 = ConvNormAct(3, half, 3, stride=2, eps=EPS)
        self.level2_0 = Down(half, quarter)
        self.level3_0 = Down(quarter, eighth)
        self.level3 = nn.ModuleList(EESP(eighth, eighth, 4) for _ in range(DEPTHS[0]))
        self.level4_0 = Down(eighth, sixteenth)
        self.level4 = nn.ModuleList(EESP(sixteenth, sixteenth, 3) for _ in range(DEPTHS[1]))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps at 1/2, 1/4, 1/8 and 1/16 of images whose sides are multiples of 16."""
        small = _halved(_halved(images))
        half = self.level1(images)
        quarter = self.level2_0(half, small)
        small = _halved(small)
        eighth = self.level3_0(quarter, small)
        for block in self.level3:
            eighth = block(eighth)
        sixteenth = self.level4_0(eighth, _halved(small))
        for block in self.level4:
            sixteenth = block(sixteenth)
        return half, quarter, eighth, sixteenth


class ESPNetv2(SegModel):
    """ESPNetv2 with its decoder; logits come at full (padded) resolution.

    The last step from 1/2 to the image puts corners on corners, which is not how logits are
    upsampled elsewhere here, so it belongs to the network.
    """

    Config = ESPNetv2Config
    decoder_parts = ("decoder",)
    stride = 16

    def __init__(self, config: ESPNetv2Config) -> None:
        super().__init__(config)
        widths = WIDTHS[config.scale]
        self.base_net = Encoder(widths)
        self.decoder = Decoder(widths, config.decoder_width, config.num_classes)
        draw(self)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 16."""
        logits: Tensor = self.decoder(self.base_net(self.pad(images)))
        return logits


def _halved(x: Tensor) -> Tensor:
    """Means of 3x3 at every second pixel; zeros outside count."""
    return F.avg_pool2d(x, 3, stride=2, padding=1)
