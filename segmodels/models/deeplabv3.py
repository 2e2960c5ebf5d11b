"""DeepLabV3 (Chen et al., arXiv 1706.05587): a pyramid of dilated convolutions, and no more.

It is the network that mmsegmentation publishes under this name and papers quote: a dilated
ResNet-V1c or MobileNetV2 at 1/8 of the image in training as in testing, 512 channels, the
pyramid merged by a 3x3 convolution, an auxiliary head. The paper trains at 1/16 with half these
dilations and evaluates at 1/8, has 256 channels, a 1x1 convolution there and no auxiliary head.
Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segmodels.models.convolution import ConvBN
from segmodels.models.deeplabv3plus import DILATIONS
from segmodels.models.fcn import DilatedNetwork, FCNConfig, Head
from segmodels.models.pspnet import Pooled


class DeepLabV3Head(Head):
    """Atrous spatial pyramid pooling on the last map (figure 5)."""

    def __init__(self, inputs: int, config: FCNConfig) -> None:
        channels = config.channels
        super().__init__(channels, config.num_classes, config.dropout)
        self.image_pool = Pooled(inputs, channels, 1, config.align_corners)
        dilated_convs = (ConvBN(inputs, channels, 3, rate) for rate in DILATIONS)
        self.aspp_modules = nn.ModuleList([ConvBN(inputs, channels), *dilated_convs])
        self.bottleneck = ConvBN((2 + len(DILATIONS)) * channels, channels, 3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone to logits (B, num_classes, h, w) at the size of the last."""
        x = maps[-1]
        branches = [self.image_pool(x), *(module(x) for module in self.aspp_modules)]
        return self.classify(self.bottleneck(torch.cat(branches, dim=1)))


class DeepLabV3(DilatedNetwork):
    """DeepLabV3; takes images of any size, gives logits at 1/8 (rounded up)."""

    def __init__(self, config: FCNConfig) -> None:
        super().__init__(config, lambda widths: DeepLabV3Head(widths[-1], config))
