"""SegFormer's decoder on a ResNet or ResNeXt (SegFormer, arXiv 2105.15203, table 1d).

The paper compares the MiT with convolutional encoders under the same decoder. Its printed
parameters and operations are those of ResNet-V1c and of ResNeXt-101 64x4d with all their strides
and a decoder of 768 channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from segmodels.models.backbone import STRIDED, strided
from segmodels.models.base import ModelConfig, one_of
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.segformer import Decoder


@dataclass(frozen=True)
class SegFormerResNetConfig(ModelConfig):
    """Arguments of SegFormer's decoder on a convolutional encoder.

    Attributes:
        backbone: timm's name of it, one of ``STRIDED``.
        decoder_width: channels of the decoder.
        decoder_dropout: of whole channels before the classifier.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "decoder_dropout"}

    backbone: str = "resnet50c"
    decoder_width: int = 768
    decoder_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("backbone", self.backbone, STRIDED)


class SegFormerResNet(ConvolutionalNetwork):
    """Takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = SegFormerResNetConfig

    def __init__(self, config: SegFormerResNetConfig) -> None:
        backbone, widths = strided(config.backbone)
        sizes = config.decoder_width, config.num_classes, config.decoder_dropout
        super().__init__(config, backbone, Decoder(widths, *sizes))
