"""FCN-8s on VGG-16 (Long, Shelhamer, Darrell, CVPR 2015, arXiv 1411.4038) as released.

Images are padded with 100 pixels of 0, so that the 7x7 layer of VGG fits anywhere; scores at 1/32,
1/16 and 1/8 are added up, enlarged by fixed bilinear kernels and cut back to the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel
from segmodels.models.convolution import keep_strength
from segmodels.models.vgg import VGG16, FixedUpsampling

#: Of the first convolution in the release, which pads by 1 itself.
PADDING = 100

#: Where a finer map begins to lie over the enlarged coarse one, and the image over the last.
OFFSET_POOL4, OFFSET_POOL3, OFFSET_IMAGE = 5, 9, 31


@dataclass(frozen=True)
class FCN8sConfig(ModelConfig):
    """Arguments of FCN-8s.

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


class FCN8s(SegModel):
    """Takes images of any size, gives logits at full resolution."""

    Config = FCN8sConfig

    def __init__(self, config: FCN8sConfig) -> None:
        super().__init__(config)
        classes = config.num_classes
        self.backbone = VGG16(config.base)
        _, _, third, fourth, fifth = self.backbone.widths
        self.fc6 = nn.Conv2d(fifth, config.width, 7)
        self.fc7 = nn.Conv2d(config.width, config.width, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.score_fr = nn.Conv2d(config.width, classes, 1)
        self.score_pool4 = nn.Conv2d(fourth, classes, 1)
        self.score_pool3 = nn.Conv2d(third, classes, 1)
        self.apply(keep_strength)
        self.twice, self.eight_times = FixedUpsampling(2), FixedUpsampling(8)

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H, W) of images (B, 3, H, W)."""
        padded = F.pad(images, [PADDING - 1] * 4)
        _, _, pool3, pool4, pool5 = self.backbone(padded)
        x = self.dropout(F.relu(self.fc6(pool5), inplace=True))
        x = self.dropout(F.relu(self.fc7(x), inplace=True))
        x = self.twice(self.score_fr(x))
        x = x + cut_like(x, self.score_pool4(pool4), OFFSET_POOL4)
        x = self.twice(x)
        x = self.eight_times(x + cut_like(x, self.score_pool3(pool3), OFFSET_POOL3))
        return cut_like(images, x, OFFSET_IMAGE)


def cut_like(small: Tensor, large: Tensor, offset: int) -> Tensor:
    """The part of a map that begins at (offset, offset) and is of the size of another."""
    height, width = small.shape[-2:]
    return large[..., offset : offset + height, offset : offset + width]
