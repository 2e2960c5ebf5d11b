"""SegNet (Badrinarayanan, Kendall, Cipolla, TPAMI 2017, arXiv 1511.00561): unpooling by indices.

The encoder is the thirteen convolutions of VGG-16 with BatchNorm; the decoder is its mirror image,
whose maps are put where the encoder's pooling took its maxima from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel

#: Channels and number of convolutions of the five stages of VGG-16.
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


@dataclass(frozen=True)
class SegNetConfig(ModelConfig):
    """Arguments of SegNet.

    Attributes:
        slimmer: by how much all channels but those of image and logits are divided.
    """

    slimmer: int = 1


class SegNet(SegModel):
    """SegNet; logits come at full (padded) resolution."""

    Config = SegNetConfig
    stride = 32

    def __init__(self, config: SegNetConfig) -> None:
        super().__init__(config)
        widths = [channels // config.slimmer for channels, _ in STAGES]
        depths = [depth for _, depth in STAGES]
        inputs = [3, *widths[:-1]]
        self.encoder = nn.ModuleList(
            nn.Sequential(*_convs([before, *[width] * depth]))
            for before, width, depth in zip(inputs, widths, depths, strict=True)
        )
        outputs = [widths[0], *widths[:-1]]
        self.decoder = nn.ModuleList(
            nn.Sequential(*_convs([*[width] * depth, after]))
            for after, width, depth in reversed(list(zip(outputs, widths, depths, strict=True)))
        )
        # The last of its convolutions makes the logits, without norm and activation.
        last = self.decoder[-1]
        assert isinstance(last, nn.Sequential)
        self.decoder[-1] = last[: len(last) // 2]
        self.classifier = nn.Conv2d(widths[0], config.num_classes, 3, padding=1)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 32."""
        x, taken = self.pad(images), []
        for stage in self.encoder:
            x, places = F.max_pool2d(stage(x), 2, return_indices=True)
            taken.append(places)
        for stage, places in zip(self.decoder, reversed(taken), strict=True):
            x = stage(F.max_unpool2d(x, places, [2, 2]))
        logits: Tensor = self.classifier(x)
        return logits


def _convs(channels: list[int]) -> list[nn.Module]:
    """3x3 convolutions through a list of widths, each with BatchNorm and ReLU."""
    found: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        found += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return found
