"""FC-DenseNet (Jégou et al., CVPRW 2017, arXiv 1611.09326): dense blocks down and up again.

Facts from the authors' code (github.com/SimJeg/FC-DenseNet, for Theano and Lasagne). On the way up
only what the last block added is enlarged; sides need be no multiples, since a map is cropped to
the one it joins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel

FIRST = 48


@dataclass(frozen=True)
class FCDenseNetConfig(ModelConfig):
    """Arguments of FC-DenseNet; the defaults make 103 convolutions.

    Attributes:
        growth: channels that each layer adds.
        down: layers of the dense blocks on the way down.
        middle: layers of the one between.
        dropout: of values behind every convolution but the first and the last.
    """

    RATES: ClassVar[Mapping[str, str]] = {"dropout": "dropout"}

    growth: int = 16
    down: tuple[int, ...] = (4, 5, 7, 10, 12)
    middle: int = 15
    dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.growth < 1 or self.middle < 1 or not self.down or min(self.down) < 1:
            raise SegmodelsError(
                "FC-DenseNet needs a growth and layers of at least 1 in each block."
            )


class Layer(nn.Sequential):
    """BatchNorm, ReLU, a convolution and dropout."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dropout: float) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)
        norm = nn.BatchNorm2d(inputs, eps=1e-4)  # as Lasagne has it
        super().__init__(norm, nn.ReLU(), conv, nn.Dropout(dropout))


class Dense(nn.Module):
    """Layers, each of which sees all that came before it."""

    def __init__(self, inputs: int, growth: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(inputs + number * growth, growth, 3, dropout) for number in range(depth)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, inputs, h, w) to it with all that was added, and to what was added alone."""
        added: list[Tensor] = []
        for layer in self.layers:
            added.append(layer(torch.cat([x, *added], dim=1)))
        return torch.cat([x, *added], dim=1), torch.cat(added, dim=1)


class FCDenseNet(SegModel):
    """FC-DenseNet; logits come at the size of the image."""

    Config = FCDenseNetConfig
    decoder_parts = ("enlarge", "up", "classifier")

    def __init__(self, config: FCDenseNetConfig) -> None:
        super().__init__(config)
        growth, dropout = config.growth, config.dropout
        self.smallest_side = 2 ** len(config.down)
        self.first = nn.Conv2d(3, FIRST, 3, padding=1)
        self.down, self.pools = nn.ModuleList(), nn.ModuleList()
        channels, kept = FIRST, []
        for depth in config.down:
            self.down.append(Dense(channels, growth, depth, dropout))
            channels += depth * growth
            kept.append(channels)
            self.pools.append(Layer(channels, channels, 1, dropout))
        self.middle = Dense(channels, growth, config.middle, dropout)
        self.enlarge, self.up = nn.ModuleList(), nn.ModuleList()
        added = config.middle * growth
        for depth, beside in zip(reversed(config.down), reversed(kept), strict=True):
            self.enlarge.append(nn.ConvTranspose2d(added, added, 3, stride=2))
            channels = added + beside
            self.up.append(Dense(channels, growth, depth, dropout))
            channels += depth * growth
            added = depth * growth
        self.classifier = nn.Conv2d(channels, config.num_classes, 1)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H, W)."""
        x, beside = self.first(images), []
        for block, pool in zip(self.down, self.pools, strict=True):
            x, _ = block(x)
            beside.append(x)
            x = F.max_pool2d(pool(x), 2)
        x, added = self.middle(x)
        for enlarge, block, skip in zip(self.enlarge, self.up, reversed(beside), strict=True):
            larger = enlarge(added)[..., : skip.shape[-2], : skip.shape[-1]]
            x, added = block(torch.cat([larger, skip], dim=1))
        logits: Tensor = self.classifier(x)
        return logits
