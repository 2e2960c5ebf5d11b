"""EncNet (Zhang et al., CVPR 2018, arXiv 1803.08904): a learned codebook tells the scene.

It is the network that mmsegmentation publishes under this name and papers quote: a dilated
ResNet-V1c at 1/8 of the image and no lateral connections. The layer that predicts which classes an
image holds belongs to the network and its size; its loss is not trained here. Attribute names
follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import to_tokens
from segmodels.models.convolution import ConvBN
from segmodels.models.fcn import DilatedNetwork, FCNConfig, Head


@dataclass(frozen=True)
class EncNetConfig(FCNConfig):
    """Arguments of EncNet.

    Attributes:
        codes: code words of the codebook.
    """

    backbone: str = "resnet101c"
    codes: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.codes < 1:
            raise SegmodelsError(f"codes must be at least 1, got {self.codes}.")


class Encoding(nn.Module):
    """Soft assignment of every position to code words, and what is left of it (section 3.1)."""

    def __init__(self, channels: int, codes: int) -> None:
        super().__init__()
        bound = (codes * channels) ** -0.5
        self.codewords = nn.Parameter(torch.empty(codes, channels).uniform_(-bound, bound))
        self.scale = nn.Parameter(torch.empty(codes).uniform_(-1, 0))

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to the sums of weighted residuals (B, codes, channels).

        Neither squared distances nor residuals are built channel by channel, which would take
        B x h x w x codes x channels numbers.
        """
        tokens = to_tokens(x)
        products = tokens @ self.codewords.t()
        squares = tokens.square().sum(-1, keepdim=True) + self.codewords.square().sum(-1)
        weights = (self.scale * (squares - 2 * products)).softmax(dim=-1)
        sums = weights.transpose(1, 2) @ tokens
        return sums - weights.sum(1).unsqueeze(-1) * self.codewords


class EncModule(nn.Module):
    """Weigh the channels of a map by what its codebook says of the whole image (section 3.2)."""

    def __init__(self, channels: int, codes: int) -> None:
        super().__init__()
        self.encoding_project = ConvBN(channels, channels)
        self.encoding = nn.Sequential(
            Encoding(channels, codes), nn.BatchNorm1d(codes), nn.ReLU(inplace=True)
        )
        self.fc = nn.Sequential(nn.Linear(channels, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, channels, h, w) to one of the same shape."""
        scene = self.encoding(self.encoding_project(x)).mean(dim=1)
        return F.relu(x + x * self.fc(scene)[:, :, None, None])


class EncHead(Head):
    """A 3x3 convolution on the last map, then the codebook."""

    def __init__(
        self, inputs: int, channels: int, num_classes: int, dropout: float, codes: int
    ) -> None:
        super().__init__(channels, num_classes, dropout)
        self.bottleneck = ConvBN(inputs, channels, 3)
        self.enc_module = EncModule(channels, codes)
        #: Which classes the image holds; of the published training alone.
        self.se_layer = nn.Linear(channels, num_classes).requires_grad_(False)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of the backbone, of which the last is used, to logits of its size."""
        return self.classify(self.enc_module(self.bottleneck(maps[-1])))


class EncNet(DilatedNetwork):
    """EncNet; takes images of any size, gives logits at 1/8 (rounded up)."""

    Config = EncNetConfig

    def __init__(self, config: EncNetConfig) -> None:
        sizes = config.channels, config.num_classes, config.dropout, config.codes
        super().__init__(config, lambda widths: EncHead(widths[-1], *sizes))
