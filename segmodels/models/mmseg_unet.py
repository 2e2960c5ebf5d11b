"""U-Net as mmsegmentation builds and publishes it: five levels of 64 to 1024 channels.

After Ronneberger et al. (MICCAI 2015, arXiv 1505.04597), with padded convolutions and BatchNorm.
A level on the way up is enlarged bilinearly, then halved in channels by a 1x1 convolution with
BatchNorm and ReLU; an FCN head follows at full resolution. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.fcn import FCNHead


@dataclass(frozen=True)
class MMSegUNetConfig(ModelConfig):
    """Arguments of mmsegmentation's U-Net.

    Attributes:
        width: channels of the finest level, doubled at every further one.
        levels: resolutions, the finest included.
        channels: width of the head.
        dropout: of whole channels before every classifier.
        auxiliary: whether there is a second head for the training, at half the resolution.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}

    width: int = 64
    levels: int = 5
    channels: int = 64
    dropout: float = 0.1
    auxiliary: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("width", 1), ("levels", 2), ("channels", 1)):
            if getattr(self, name) < least:
                raise SegmodelsError(f"{name} must be at least {least}, got {getattr(self, name)}.")
        if self.levels > MOST_LEVELS:
            raise SegmodelsError(f"levels must be at most {MOST_LEVELS}, got {self.levels}.")


#: More halvings leave nothing of an image.
MOST_LEVELS = 10


class Convs(nn.Module):
    """Two 3x3 convolutions, with BatchNorm and ReLU each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(ConvBN(inputs, outputs, 3), ConvBN(outputs, outputs, 3))

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to (B, outputs, h, w)."""
        y: Tensor = self.convs(x)
        return y


class Enlarge(nn.Module):
    """Twice the sides, bilinearly, then a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        twice = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.interp_upsample = nn.Sequential(twice, ConvBN(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to (B, outputs, 2h, 2w)."""
        y: Tensor = self.interp_upsample(x)
        return y


class Up(nn.Module):
    """A coarse map enlarged, joined with the map of the way down, convolved."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_block = Convs(2 * outputs, outputs)
        self.upsample = Enlarge(inputs, outputs)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Maps (B, outputs, h, w) and (B, inputs, h / 2, w / 2) to (B, outputs, h, w)."""
        y: Tensor = self.conv_block(torch.cat([fine, self.upsample(coarse)], dim=1))
        return y


class Levels(nn.Module):
    """The way down and up; a map of every level of the way up, from coarse to fine."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        first = nn.Sequential(Convs(3, widths[0]))
        down = (nn.Sequential(nn.MaxPool2d(2), Convs(a, b)) for a, b in pairwise(widths))
        self.encoder = nn.ModuleList([first, *down])
        self.decoder = nn.ModuleList(Up(b, a) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W), sides multiples of the stride, to maps (B, widths, ...)."""
        passed = []
        for stage in self.encoder:
            x = stage(x)
            passed.append(x)
        maps = [passed.pop()]
        for stage, fine in zip(reversed(self.decoder), reversed(passed), strict=True):
            maps.append(stage(fine, maps[-1]))
        return maps


class MMSegUNet(ConvolutionalNetwork):
    """Takes images of any size, padded with 0 to the stride; logits at full resolution."""

    Config = MMSegUNetConfig

    def __init__(self, config: MMSegUNetConfig) -> None:
        widths = [config.width * 2**level for level in range(config.levels)]
        heads = [
            FCNHead(
                widths[level],
                config.channels,
                config.num_classes,
                config.dropout,
                convs=1,
                concat=False,
                level=-1 - level,
            )
            for level in (0, 1)
        ]
        super().__init__(config, Levels(widths), heads[0], heads[1:] if config.auxiliary else [])
        self.stride = 2 ** (config.levels - 1)

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps of the way up (B, channels, h, w), from coarse to fine, of padded images."""
        return super().features(self.pad(images))
