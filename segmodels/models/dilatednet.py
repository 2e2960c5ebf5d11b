"""DilatedNet on VGG-16 (Yu, Koltun, ICLR 2016, arXiv 1511.07122) as released for Cityscapes.

No convolution of its front end is padded: images are mirrored 186 pixels beyond their border
instead. The context module, dilated 3x3 convolutions on scores ("Dilation10"), keeps their size.
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
from segmodels.models.convolution import keep_strength
from segmodels.models.vgg import VGG16, FixedUpsampling

#: Pixels that the front end loses at each side.
MARGIN = 186

#: Of the context module's convolutions; the last one is its "fc1".
DILATIONS = (1, 1, 2, 4, 8, 16, 32, 64, 1)


@dataclass(frozen=True)
class DilatedNetConfig(ModelConfig):
    """Arguments of DilatedNet.

    Attributes:
        base: channels of VGG's first stage.
        width: channels of the two layers behind the convolutions of VGG.
        dropout: of single values behind each of them.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}

    base: int = 64
    width: int = 4096
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("base", "width"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class DilatedNet(SegModel):
    """Takes images of any size, mirrored to multiples of 8; gives logits at full resolution."""

    Config = DilatedNetConfig
    stride = 8

    def __init__(self, config: DilatedNetConfig) -> None:
        super().__init__(config)
        classes = config.num_classes
        self.backbone = VGG16(config.base, pools=3, padded=False, dilation=2)
        self.fc6 = nn.Conv2d(self.backbone.widths[-1], config.width, 7, dilation=4)
        self.fc7 = nn.Conv2d(config.width, config.width, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.final = nn.Conv2d(config.width, classes, 1)
        self.apply(keep_strength)
        convs = [nn.Conv2d(classes, classes, 3, padding=d, dilation=d) for d in DILATIONS]
        for conv in convs:  # each begins by passing on what it gets (section 3)
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        self.context = nn.Sequential(*(nn.Sequential(conv, nn.ReLU()) for conv in convs))
        self.ctx_final = nn.Conv2d(classes, classes, 1)
        keep_strength(self.ctx_final)
        self.upsampling = FixedUpsampling(8, cut=4)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H', W') of images (B, 3, H, W), at the padded size."""
        height, width = self.upsampled_size(*images.shape[-2:])
        x = self.backbone(mirrored(mirrored(images, 2, height), 3, width))[-1]
        x = self.dropout(F.relu(self.fc6(x), inplace=True))
        x = self.dropout(F.relu(self.fc7(x), inplace=True))
        logits: Tensor = self.upsampling(self.ctx_final(self.context(self.final(x))))
        return logits


def mirrored(images: Tensor, dim: int, length: int) -> Tensor:
    """One side of images with the margin at both ends, as far as it takes beyond ``length``.

    The border itself is not repeated (OpenCV's reflect 101); short sides are mirrored again and
    again.
    """
    side = images.shape[dim]
    place = torch.arange(-MARGIN, length + MARGIN, device=images.device)
    period = max(2 * (side - 1), 1)
    place = place.remainder(period)
    return images.index_select(dim, torch.minimum(place, period - place).clamp(max=side - 1))
