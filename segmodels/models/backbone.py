"""Convolutional ImageNet backbones, built by timm, dilated to 1/8 of the image or as they are.

ResNet-V1c (He et al., arXiv 1512.03385, with the 7x7 stem replaced by three 3x3
convolutions) and MobileNetV2 (Sandler et al., arXiv 1801.04381), both with the strides
after 1/8 turned into dilations; ResNet-V1c and ResNeXt (Xie et al., arXiv 1611.05431) with all
their strides. Attribute names are timm's.
"""

from __future__ import annotations

from typing import Any

import timm
from torch import nn

BACKBONES = ("resnet50c", "resnet101c", "mobilenetv2_100")

#: Those that are also, or only, used with all their strides.
STRIDED = ("resnet50c", "resnet101c", "resnext101_64x4d", "mobilenetv2_100")

#: Of the depthwise convolution that opens each of MobileNetV2's seven stages.
MOBILENETV2_DILATIONS = (1, 1, 1, 2, 2, 4, 4)


def dilated(name: str) -> tuple[nn.Module, list[int]]:
    """One of ``BACKBONES`` with random weights, and the channels of its maps.

    The network turns images (B, 3, H, W) into a list of four maps, one at ⌈H / 4⌉ x ⌈W / 4⌉
    and three at ⌈H / 8⌉ x ⌈W / 8⌉.
    """
    network: Any = timm.create_model(
        name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4), output_stride=8
    )
    if name.startswith("mobilenetv2"):
        _dilate_first_blocks(network)
    return network, network.feature_info.channels()


def strided(name: str) -> tuple[nn.Module, list[int]]:
    """One of ``STRIDED`` with random weights, and the channels of its maps.

    The network turns images (B, 3, H, W) into a list of four maps, at 1/4, 1/8, 1/16 and 1/32.
    """
    network: Any = timm.create_model(
        name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4)
    )
    return network, network.feature_info.channels()


def _dilate_first_blocks(network: nn.Module) -> None:
    """Give MobileNetV2 the dilations of mmsegmentation's published weights.

    A stage that loses its stride is dilated by timm from its second block on, as one would:
    the first block still works with the old rate. mmsegmentation does the reverse. It
    dilates the first block of every stage after 1/8 by (2, 2, 4, 4) and none of the others,
    and the baselines that papers quote were trained like that. Weights do not show the
    difference, logits do. (Its ResNets are dilated as timm's are.)
    """
    assert isinstance(network.blocks, nn.Sequential)
    for stage, first in zip(network.blocks, MOBILENETV2_DILATIONS, strict=True):
        assert isinstance(stage, nn.Sequential)
        for index, block in enumerate(stage):
            rate = first if index == 0 else 1
            assert isinstance(block.conv_dw, nn.Conv2d)
            block.conv_dw.dilation = block.conv_dw.padding = (rate, rate)
