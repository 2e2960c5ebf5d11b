"""ICNet (Zhao et al., ECCV 2018, arXiv 1704.08545): three resolutions, the coarsest the deepest.

It is the network that mmsegmentation publishes under this name: a dilated ResNet-V1c of full width
shared by the middle and the coarse branch, PSPNet's pyramid at the end of the coarse one. The
authors' own release has half the channels and pools by sums. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.backbone import BACKBONES, dilated
from segmodels.models.base import ModelConfig, one_of, upsample
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.fcn import FCNHead
from segmodels.models.pspnet import BINS, Pooled

#: ResNets alone: the branches part between their stages.
ICNET_BACKBONES = tuple(name for name in BACKBONES if name.startswith("resnet"))


@dataclass(frozen=True)
class ICNetConfig(ModelConfig):
    """Arguments of ICNet.

    Attributes:
        backbone: timm's name of it, one of ``ICNET_BACKBONES``.
        light_channels: of the two convolutions that open the fine branch.
        psp_channels: of the pyramid and of what merges it.
        branch_channels: of what leaves the fine, the middle and the coarse branch.
        channels: of the fusions and of the heads.
        dropout: of whole channels before the classifier of every auxiliary head.
        auxiliary: whether there are heads for the training on the two fusions.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}

    backbone: str = "resnet50c"
    light_channels: int = 32
    psp_channels: int = 512
    branch_channels: tuple[int, ...] = (64, 256, 256)
    channels: int = 128
    dropout: float = 0.1
    auxiliary: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("backbone", self.backbone, ICNET_BACKBONES)
        object.__setattr__(self, "branch_channels", tuple(self.branch_channels))
        if len(self.branch_channels) != 3 or min(self.branch_channels) < 1:
            raise SegmodelsError(
                f"branch_channels must be 3 positive numbers, got {self.branch_channels}."
            )
        for name in ("light_channels", "psp_channels", "channels"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class Branches(nn.Module):
    """Images at full, half and quarter resolution through ever more of the network (figure 2)."""

    def __init__(self, config: ICNetConfig) -> None:
        super().__init__()
        network, widths = dilated(config.backbone)
        self.backbone: Any = network
        self.backbone.maxpool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)
        inputs, psp = widths[-1], config.psp_channels
        self.psp_modules = nn.ModuleList(Pooled(inputs, psp, bins) for bins in BINS)
        self.psp_bottleneck = ConvBN(inputs + len(BINS) * psp, psp, 3)
        fine, middle, coarse = config.branch_channels
        light = config.light_channels
        self.conv_sub1 = nn.Sequential(
            ConvBN(3, light, 3, stride=2),
            ConvBN(light, light, 3, stride=2),
            ConvBN(light, fine, 3, stride=2),
        )
        self.conv_sub2 = ConvBN(widths[1], middle)
        self.conv_sub4 = ConvBN(psp, coarse)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to maps (B, branch_channels, ...), about 1/8, 1/16 and 1/32."""
        net = self.backbone
        x = net.maxpool(net.act1(net.bn1(net.conv1(halved(images)))))
        middle = net.layer2(net.layer1(x))
        x = net.layer4(net.layer3(halved(middle)))
        levels = [*(module(x) for module in self.psp_modules), x]
        coarse = self.psp_bottleneck(torch.cat(levels, dim=1))
        return [self.conv_sub1(images), self.conv_sub2(middle), self.conv_sub4(coarse)]


def halved(x: Tensor) -> Tensor:
    """A map at half its sides (rounded down), bilinearly."""
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)


class Fusion(nn.Module):
    """Cascade feature fusion (figure 3): a coarse map enlarged and added to a finer one."""

    def __init__(self, coarse: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.conv_low = ConvBN(coarse, outputs, 3, dilation=2)
        self.conv_high = ConvBN(fine, outputs)

    def forward(self, coarse: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """Maps to their sum (B, outputs, h, w) at the size of the finer, and the coarse part."""
        low = self.conv_low(upsample(coarse, (fine.shape[-2], fine.shape[-1])))
        return F.relu(low + self.conv_high(fine)), low


class Neck(nn.Module):
    """The coarse branch into the middle one, both into the fine one."""

    def __init__(self, config: ICNetConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.branch_channels
        self.cff_24 = Fusion(coarse, middle, config.channels)
        self.cff_12 = Fusion(config.channels, fine, config.channels)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of the branches to those that the heads see: two for the training, the last."""
        fine, middle, coarse = maps
        x, low_24 = self.cff_24(coarse, middle)
        x, low_12 = self.cff_12(x, fine)
        return [low_24, low_12, x]


class ICNet(ConvolutionalNetwork):
    """ICNet; takes images of 32 pixels a side or more, gives logits at 1/8 (rounded up)."""

    Config = ICNetConfig

    #: Shorter sides leave nothing of the map that is halved for the coarse branch.
    smallest_side = 32

    def __init__(self, config: ICNetConfig) -> None:
        def head(level: int, dropout: float) -> FCNHead:
            sizes = config.channels, config.channels, config.num_classes, dropout
            return FCNHead(*sizes, convs=1, concat=False, level=level)

        auxiliary = [head(level, config.dropout) for level in (0, 1)] if config.auxiliary else []
        super().__init__(config, Branches(config), head(2, 0.0), auxiliary)
        self.neck = Neck(config)

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps of the fusions (B, channels, h, w), about 1/16, 1/8 and 1/8."""
        maps: list[Tensor] = self.neck(super().features(images))
        return maps
