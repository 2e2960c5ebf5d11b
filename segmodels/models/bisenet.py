"""BiSeNet (Yu et al., ECCV 2018, arXiv 1808.00897) on ResNet-18: a spatial and a context path.

Facts from the code of its authors (github.com/ycszen/TorchSeg, model/bisenet). Logits go from 1/8
to the image with corners on corners, which is not how they are upsampled elsewhere here, so that
step belongs to the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import ModelConfig, SegModel

#: Channels of the context path's and of the spatial path's output, and of the auxiliary heads.
CONTEXT, SPATIAL, AUXILIARY = 128, 64, 256


@dataclass(frozen=True)
class BiSeNetConfig(ModelConfig):
    """Arguments of BiSeNet.

    Attributes:
        auxiliary: whether there are two more heads for the training, on the context path.
    """

    auxiliary: bool = True


class Weighed(nn.Module):
    """A 3x3 convolution whose channels are weighed by what the whole map holds."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = _conv(inputs, CONTEXT, 3)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(CONTEXT, CONTEXT, 1, bias=False),
            nn.BatchNorm2d(CONTEXT),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, CONTEXT, h, w)."""
        y = self.conv(x)
        out: Tensor = y * self.gate(y)
        return out


class Fusion(nn.Module):
    """Both paths joined, and the channels that the whole map asks for once more."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = _conv(channels, channels, 1)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out: (B, channels, h, w)."""
        y = self.conv(x)
        out: Tensor = y + y * self.gate(y)
        return out


class BiSeNet(SegModel):
    """BiSeNet; logits come at full (padded) resolution."""

    Config = BiSeNetConfig
    stride = 8

    def __init__(self, config: BiSeNetConfig) -> None:
        super().__init__(config)
        backbone: Any = timm.create_model(
            "resnet18", pretrained=False, features_only=True, out_indices=(2, 3, 4)
        )
        self.backbone: nn.Module = backbone
        self.spatial = nn.Sequential(
            _conv(3, SPATIAL, 7, 2),
            _conv(SPATIAL, SPATIAL, 3, 2),
            _conv(SPATIAL, SPATIAL, 3, 2),
            _conv(SPATIAL, CONTEXT, 1),
        )
        _, sixteenth, last = backbone.feature_info.channels()
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), _conv(last, CONTEXT, 1))
        self.weighed = nn.ModuleList((Weighed(last), Weighed(sixteenth)))
        self.refined = nn.ModuleList(_conv(CONTEXT, CONTEXT, 3) for _ in self.weighed)
        self.fusion = Fusion(2 * CONTEXT)
        self.head = _head(2 * CONTEXT, SPATIAL, config.num_classes)
        if config.auxiliary:
            self.auxiliary_head = nn.ModuleList(
                _head(CONTEXT, AUXILIARY, config.num_classes) for _ in self.weighed
            )

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') with both sides padded to multiples of 8."""
        images = self.pad(images)
        spatial = self.spatial(images)
        return self._logits(spatial, self._context(images), images)

    def forward_supervised(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """The logits, and those of both heads on the context path, all with weight 1."""
        images = self.pad(images)
        spatial, context = self.spatial(images), self._context(images)
        found = [(self._logits(spatial, context, images), 1.0)]
        if hasattr(self, "auxiliary_head"):
            heads = zip(self.auxiliary_head, context, strict=True)
            found += [(_resized(head(x), images), 1.0) for head, x in heads]
        return found

    def _context(self, images: Tensor) -> list[Tensor]:
        """The context path's maps at 1/16 and at 1/8, (B, CONTEXT, h, w)."""
        eighth, sixteenth, last = self.backbone(images)
        x = self.whole(last).expand(-1, -1, *last.shape[-2:])
        found = []
        steps = zip(self.weighed, self.refined, (last, sixteenth), (sixteenth, eighth), strict=True)
        for weighed, refined, here, finer in steps:
            x = refined(_resized(weighed(here) + x, finer))
            found.append(x)
        return found

    def _logits(self, spatial: Tensor, context: list[Tensor], images: Tensor) -> Tensor:
        fused = self.fusion(torch.cat([spatial, context[-1]], dim=1))
        return _resized(self.head(fused), images)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear to the size of another map, corners on corners."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution, BatchNorm and ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def _head(inputs: int, channels: int, classes: int) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, channels, 3), nn.Conv2d(channels, classes, 1))
