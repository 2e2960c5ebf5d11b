"""ENet (Paszke et al., arXiv 1606.02147), as its authors build it.

Facts from their code (github.com/e-lab/ENet-training, for Torch): unlike in the port of
``segmodels.models.enet`` a block that halves the map reduces channels by a 2x2 convolution of
stride 2, every activation of the encoder has slopes of its own, and the decoder rectifies.
BatchNorm eps is 1e-3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.enet import EARLY, EIGHTH, LATE

Activation = Callable[[int], nn.Module]
EPS = 1e-3


@dataclass(frozen=True)
class ENetElabConfig(ModelConfig):
    """Arguments of ENet: `num_classes` alone."""


class Block(nn.Module):
    """Fewer channels, a convolution, as many channels again; residual.

    Args:
        inputs: channels.
        outputs: channels; more than `inputs` where the map is halved.
        dilation: of the convolution; 0 makes it a 1x5 and a 5x1.
        dropout: rate of dropped channels.
        act: makes an activation of so many channels.
    """

    def __init__(
        self, inputs: int, outputs: int, dilation: int, dropout: float, act: Activation
    ) -> None:
        super().__init__()
        self.missing, width = outputs - inputs, outputs // 4
        side = 2 if self.missing else 1
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, side, side, bias=False),
            nn.BatchNorm2d(width, eps=EPS),
            act(width),
            *_middle(width, dilation),
            nn.BatchNorm2d(width, eps=EPS),
            act(width),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=EPS),
            nn.Dropout2d(dropout),
        )
        self.act = act(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        y: Tensor = self.act(self.body(x) + x)
        return y

    def halved(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, inputs, h, w) to (B, outputs, h / 2, w / 2), and where its maxima were."""
        pooled, places = F.max_pool2d(x, 2, return_indices=True)
        batch, _, height, width = pooled.shape
        shortcut = torch.cat([pooled, x.new_zeros(batch, self.missing, height, width)], dim=1)
        return self.act(self.body(x) + shortcut), places


class Up(nn.Module):
    """Doubles a map; the shortcut puts values back where pooling took them from."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        width = outputs // 4
        self.body = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width, eps=EPS),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 3, 2, 1, output_padding=1),
            nn.BatchNorm2d(width, eps=EPS),
            nn.ReLU(),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=EPS),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs, eps=EPS)
        )

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        """(B, inputs, h, w) and indices of max pooling (B, outputs, h, w) to twice the sides."""
        return F.relu(self.body(x) + F.max_unpool2d(self.shortcut(x), places, [2, 2]))


class ENetElab(SegModel):
    """ENet; logits come at full (padded) resolution."""

    Config = ENetElabConfig
    decoder_parts = ("up2", "stage4", "up1", "stage5", "classifier")
    stride = 8

    def __init__(self, config: ENetElabConfig) -> None:
        super().__init__(config)
        self.stem = nn.Conv2d(3, 13, 3, stride=2, padding=1)
        self.after_stem = nn.Sequential(nn.BatchNorm2d(16, eps=EPS), nn.PReLU(16))
        self.down1 = Block(16, 64, 1, EARLY, nn.PReLU)
        self.stage1 = nn.Sequential(*(Block(64, 64, 1, EARLY, nn.PReLU) for _ in range(4)))
        self.down2 = Block(64, 128, 1, LATE, nn.PReLU)
        self.stage2 = nn.Sequential(*(Block(128, 128, one, LATE, nn.PReLU) for one in EIGHTH * 2))
        self.up2 = Up(128, 64)
        self.stage4 = nn.Sequential(*(Block(64, 64, 1, 0.0, _rectified) for _ in range(2)))
        self.up1 = Up(64, 16)
        self.stage5 = Block(16, 16, 1, 0.0, _rectified)
        self.classifier = nn.ConvTranspose2d(16, config.num_classes, 2, stride=2)
        # Else they alone would decide an untrained network's labels.
        assert self.classifier.bias is not None
        nn.init.zeros_(self.classifier.bias)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 8."""
        images = self.pad(images)
        both = torch.cat([self.stem(images), F.max_pool2d(images, 2)], dim=1)
        quarter, from_half = self.down1.halved(self.after_stem(both))
        eighth, from_quarter = self.down2.halved(self.stage1(quarter))
        x = self.stage4(self.up2(self.stage2(eighth), from_quarter))
        logits: Tensor = self.classifier(self.stage5(self.up1(x, from_half)))
        return logits


def _rectified(channels: int) -> nn.Module:
    del channels
    return nn.ReLU()


def _middle(width: int, dilation: int) -> list[nn.Module]:
    """The convolution between the two of 1x1; of a pair of them the second has the bias."""
    if dilation:
        return [nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)]
    return [
        nn.Conv2d(width, width, (1, 5), padding=(0, 2), bias=False),
        nn.Conv2d(width, width, (5, 1), padding=(2, 0)),
    ]
