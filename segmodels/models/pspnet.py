"""PSPNet (Zhao et al., CVPR 2017, arXiv 1612.01105): context from a pyramid of averages.

It is the network that mmsegmentation publishes under this name and papers quote. With
ResNets it is close to the paper; the code released with it has a stem twice as wide and
upsamples with aligned corners. With MobileNetV2 every level of the pyramid keeps 512
channels instead of a quarter of its input's. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import upsample
from segmodels.models.convolution import ConvBN
from segmodels.models.fcn import DilatedNetwork, FCNConfig, Head

BINS = (1, 2, 3, 6)


class Pooled(nn.Sequential):
    """Average over bins x bins cells, 1x1 convolution with BatchNorm, back to the old size."""

    def __init__(self, inputs: int, outputs: int, bins: int, align_corners: bool = False) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(bins), ConvBN(inputs, outputs))
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, inputs, h, w) to (B, outputs, h, w).

        Raises:
            SegmodelsError: BatchNorm shall be trained on a single number per channel.
        """
        pool, conv = self
        means = pool(x)
        _check(means, conv)
        return upsample(conv(means), (x.shape[-2], x.shape[-1]), self.align_corners)


class PSPHead(Head):
    """Pyramid of averages beside the map itself, merged by a 3x3 convolution (section 3.2)."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        num_classes: int,
        dropout: float = 0.1,
        align_corners: bool = False,
    ) -> None:
        super().__init__(channels, num_classes, dropout)
        self.psp_modules = nn.ModuleList(
            Pooled(inputs, channels, bins, align_corners) for bins in BINS
        )
        self.bottleneck = ConvBN(inputs + len(BINS) * channels, channels, 3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone, of which the last is used, to logits of its size."""
        x = maps[-1]
        levels = [x, *(module(x) for module in self.psp_modules)]
        return self.classify(self.bottleneck(torch.cat(levels, dim=1)))


class PSPNet(DilatedNetwork):
    """PSPNet; takes images of any size, gives logits at 1/8 (rounded up)."""

    def __init__(self, config: FCNConfig) -> None:
        sizes = config.channels, config.num_classes, config.dropout, config.align_corners
        super().__init__(config, lambda widths: PSPHead(widths[-1], *sizes))


def _check(means: Tensor, conv: nn.Module) -> None:
    """Refuse what PyTorch refuses; synchronised BatchNorm may see other processes' images."""
    single = means.numel() == means.shape[1]
    if single and isinstance(conv.bn, nn.BatchNorm2d) and conv.bn.training:
        raise SegmodelsError(
            "In training this network needs batches of 2 images or more: it averages each "
            "image to one number per channel, and BatchNorm cannot train on a single one."
        )
