"""HRNet (Wang et al., TPAMI 2020, arXiv 1908.07919), built by timm: four resolutions side by side.

timm has the network for ImageNet, which upsamples to the nearest neighbour. The networks for
segmentation upsample bilinearly, here and in mmsegmentation. Attribute names are those of both.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.models.hrnet import HighResolutionModule
from torch import Tensor, nn

from segmodels.models.base import upsample

HRNETS = ("hrnet_w18_small", "hrnet_w18_small_v2", "hrnet_w18", "hrnet_w48")


class Exchange(nn.Module):
    """Every branch's blocks; then each resolution gets the sum of all, brought to its size."""

    def __init__(self, module: HighResolutionModule) -> None:
        super().__init__()
        self.branches = module.branches
        self.fuse_layers = module.fuse_layers

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps (B, channels, ...) of each resolution, from fine to coarse, to as many."""
        own = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [_sum(layers, own, level) for level, layers in enumerate(self.fuse_layers)]


def _sum(layers: nn.Module, maps: list[Tensor], level: int) -> Tensor:
    assert isinstance(layers, nn.ModuleList)
    size = maps[level].shape[-2], maps[level].shape[-1]
    # A map that was halved to an odd side comes out a pixel larger, and is resized once more.
    brought = [upsample(layer(x), size) for layer, x in zip(layers, maps, strict=True)]
    return F.relu(sum(brought[1:], brought[0]))


def hrnet(name: str) -> tuple[nn.Module, list[int]]:
    """One of ``HRNETS`` with random weights, and the channels of its maps.

    The network turns images (B, 3, H, W) into a list of four maps, at 1/4, 1/8, 1/16 and 1/32.
    """
    network: Any = timm.create_model(
        name, pretrained=False, features_only=True, feature_location="", out_indices=(1, 2, 3, 4)
    )
    for stage in (network.stage2, network.stage3, network.stage4):
        for number, module in enumerate(stage):
            stage[number] = Exchange(module)
    for module in network.modules():
        if isinstance(module, nn.Upsample):
            module.mode, module.align_corners = "bilinear", False
    return network, [branch[-1].conv2.out_channels for branch in network.stage4[-1].branches]


def concatenated(maps: list[Tensor]) -> Tensor:
    """All maps at the size of the first, one after the other: (B, sum of channels, h, w)."""
    size = maps[0].shape[-2], maps[0].shape[-1]
    return torch.cat([upsample(x, size) for x in maps], dim=1)
