"""FCN's head on HRNet (arXiv 1908.07919), as mmsegmentation publishes it: HRNetV2.

The four maps are brought to 1/4 of the image and side by side; a 1x1 convolution of as many
channels and the classifier follow. There is no auxiliary head. Attribute names follow
mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from segmodels.models.base import ModelConfig, one_of
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.fcn import FCNHead
from segmodels.models.hrnet import HRNETS, concatenated, hrnet


@dataclass(frozen=True)
class FCNHRNetConfig(ModelConfig):
    """Arguments of FCN on HRNet.

    Attributes:
        backbone: timm's name of it, one of ``HRNETS``.
        dropout: of whole channels before the classifier.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}

    backbone: str = "hrnet_w48"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("backbone", self.backbone, HRNETS)


def head_on_all(widths: Sequence[int], num_classes: int, dropout: float) -> FCNHead:
    """The head on all maps of HRNet side by side: a 1x1 convolution and the classifier."""
    channels = sum(widths)
    return FCNHead(channels, channels, num_classes, dropout, convs=1, concat=False, kernel=1)


class FCNHRNet(ConvolutionalNetwork):
    """Takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = FCNHRNetConfig

    def __init__(self, config: FCNHRNetConfig) -> None:
        backbone, widths = hrnet(config.backbone)
        super().__init__(config, backbone, head_on_all(widths, config.num_classes, config.dropout))

    def features(self, images: Tensor) -> list[Tensor]:
        """The one map (B, channels, ⌈H / 4⌉, ⌈W / 4⌉) that all maps of HRNet make together."""
        return [concatenated(super().features(images))]
