"""VGG-16 (Simonyan, Zisserman, ICLR 2015, arXiv 1409.1556), built by timm, without its classifier.

FCN-8s keeps all of its pools; DilatedNet drops the last two and dilates what follows.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from timm.models.vgg import VGG
from torch import Tensor, nn

#: Of timm's layers behind the convolutions, which are not used here, in channels of theirs.
UNUSED_SHARE = 1 / 512

#: Channels of the five stages over those of the first, and convolutions in each.
FACTORS, DEPTHS = (1, 2, 4, 8, 8), (2, 2, 3, 3, 3)


class VGG16(nn.Module):
    """The thirteen convolutions in five stages, and a pool behind each of the first.

    Args:
        width: channels of the first stage, 64 as published.
        pools: stages that end with a pool.
        padded: whether convolutions keep the size of a map, or lose its border.
        dilation: of the last stage.
    """

    def __init__(
        self, width: int = 64, pools: int = 5, padded: bool = True, dilation: int = 1
    ) -> None:
        super().__init__()
        self.pools = pools
        self.widths = [factor * width for factor in FACTORS]
        stages = _stages(self.widths)
        for number, stage in enumerate(stages, start=1):
            for conv in (layer for layer in stage if isinstance(layer, nn.Conv2d)):
                rate = dilation if number == len(stages) else 1
                conv.dilation, conv.padding = (rate, rate), (rate * padded, rate * padded)
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to the maps that leave the five stages, behind a pool if it has one.

        Rows and columns that do not fill a pool are kept, as in Caffe.
        """
        maps = [images]
        for number, stage in enumerate(self.stages, start=1):
            x = stage(maps[-1])
            maps.append(F.max_pool2d(x, 2, ceil_mode=True) if number <= self.pools else x)
        return maps[1:]


def _stages(widths: list[int]) -> list[nn.Sequential]:
    """Convolutions and ReLUs, parted where timm pools."""
    described: list[Any] = []
    for width, depth in zip(widths, DEPTHS, strict=True):
        described += [*[width] * depth, "M"]
    layers = VGG(described, num_classes=0, mlp_ratio=UNUSED_SHARE).features
    stages = [nn.Sequential() for _ in widths]
    number = 0
    for layer in layers.children():
        if isinstance(layer, nn.MaxPool2d):
            number += 1
        else:
            stages[number].append(layer)
    return stages


class FixedUpsampling(nn.Module):
    """A transposed convolution per channel whose kernel is bilinear and not trained.

    Outside the map it sees 0, so that borders fade.

    Args:
        factor: by which the map grows.
        cut: rows and columns taken off at each side of the result.
    """

    kernel: Tensor

    def __init__(self, factor: int, cut: int = 0) -> None:
        super().__init__()
        self.factor, self.cut = factor, cut
        side = torch.arange(2 * factor, dtype=torch.float32)
        line = 1 - (side - (factor - 0.5)).abs() / factor
        self.register_buffer("kernel", line[:, None] * line, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, h, w) to (B, C, (h + 1) factor - 2 cut, (w + 1) factor - 2 cut)."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        return F.conv_transpose2d(x, kernel, None, self.factor, self.cut, 0, channels)
