"""The decoder of ESPNetv2 and DiCENet: pyramid pooling at every scale, from coarse to fine.

Facts from the authors' code (github.com/sacmehta/EdgeNets at 2b232d3).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.prelu_convolution import ConvNormAct, NormAct

#: Of BatchNorm in all of EdgeNets; PyTorch's default.
EPS = 1e-5
#: Sizes of the map at which the pyramid looks, as shares of its own.
POOLS = (2.0, 1.5, 1.0, 0.5, 0.1)
#: A pooled map has no fewer rows or columns.
LEAST = 5


class Interleaved(nn.Module):
    """Channels of several maps in turn: first of each, second of each, …"""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, maps * channels, h, w)."""
        batch, channels, height, width = x.shape
        apart = x.reshape(batch, self.maps, channels // self.maps, height, width)
        return apart.transpose(1, 2).reshape(x.shape)


class PyramidPool(nn.Module):
    """A depthwise convolution at five sizes of the map, then a grouped merge.

    Args:
        inputs: channels.
        width: channels at every size.
        outputs: channels.
        last: the logits: with a bias, and without norm and activation.
    """

    def __init__(self, inputs: int, width: int, outputs: int, last: bool = False) -> None:
        super().__init__()
        self.projection_layer = ConvNormAct(inputs, width, 1, eps=EPS)
        self.stages = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False) for _ in POOLS
        )
        self.merge_layer = nn.Sequential(
            NormAct(width * len(POOLS), EPS),
            Interleaved(len(POOLS)),
            ConvNormAct(width * len(POOLS), width, 3, groups=width, eps=EPS),
            nn.Conv2d(width, outputs, 1, bias=last),
        )
        self.br = nn.Identity() if last else NormAct(outputs, EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        x = self.projection_layer(x)
        looks = [_at(x, share, stage) for share, stage in zip(POOLS, self.stages, strict=True)]
        y: Tensor = self.br(self.merge_layer(torch.cat(looks, dim=1)))
        return y


class Weighted(nn.Module):
    """A grouped 3x3 convolution whose channels are weighed by the means of the whole map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.wt_layer = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, outputs, 1, bias=False), nn.Sigmoid()
        )
        groups = math.gcd(inputs, outputs)
        self.expansion_layer = ConvNormAct(inputs, outputs, 3, groups=groups, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        y: Tensor = self.expansion_layer(x) * self.wt_layer(x)
        return y


class Decoder(nn.Module):
    """Four pyramids; between them the map is doubled and joined with the next finer one.

    Args:
        widths: channels of the encoder's maps at 1/2, 1/4, 1/8 and 1/16.
        unit: 4, 3 and 2 times this are the channels of the maps on the way.
        classes: outputs.
    """

    def __init__(self, widths: tuple[int, int, int, int], unit: int, classes: int) -> None:
        super().__init__()
        coarse = (4 * unit, 3 * unit, 2 * unit)
        width = max(min(classes // 2, unit), 1)
        inputs, outputs = (widths[3], *coarse), (*coarse, classes)
        self.pools = nn.ModuleList(
            PyramidPool(inputs[place], width, outputs[place], last=place == 3) for place in range(4)
        )
        fine = widths[2::-1]
        self.merges = nn.ModuleList(Weighted(*pair) for pair in zip(fine, coarse, strict=True))
        self.norms = nn.ModuleList(NormAct(channels, EPS) for channels in coarse)

    def forward(self, maps: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """Maps at 1/2, 1/4, 1/8 and 1/16 of an image to logits of its size."""
        x = self.pools[0](maps[3])
        finer = zip(self.merges, self.norms, self.pools[1:], maps[2::-1], strict=True)
        for merge, norm, pool, fine in finer:
            x = pool(norm(merge(fine) + doubled(x)))
        return doubled(x)


def draw(network: nn.Module) -> None:
    """Initial weights of a whole network as its authors draw them; biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def doubled(x: Tensor) -> Tensor:
    """Twice the sides, bilinear, corners on corners."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def _at(x: Tensor, share: float, stage: nn.Module) -> Tensor:
    """What a convolution sees in (B, C, h, w) at a share of its size, at its size again."""
    height, width = x.shape[-2:]
    size = (max(math.ceil(height * share), LEAST), max(math.ceil(width * share), LEAST))
    if share < 1:
        seen = stage(F.adaptive_avg_pool2d(x, size))
        return F.interpolate(seen, (height, width), mode="bilinear", align_corners=True)
    if share > 1:
        larger = F.interpolate(x, size, mode="bilinear", align_corners=True)
        return F.adaptive_avg_pool2d(stage(larger), (height, width))
    same: Tensor = stage(x)
    return same
