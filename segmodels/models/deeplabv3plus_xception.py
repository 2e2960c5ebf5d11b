"""DeepLabV3+ on Xception as in its paper (Chen et al., ECCV 2018, arXiv 1802.02611).

Unlike the network of that name that papers quote today (``deeplabv3plus.py``): trained at 1/16 with
dilations 6, 12, 18, 256 channels, the pyramid merged by a 1x1 convolution, no auxiliary head.
The authors' code upsamples with aligned corners, which the paper does not say and this does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, one_of
from segmodels.models.deeplabv3plus import DeepLabV3PlusHead, Pyramid
from segmodels.models.encoder_decoder import ConvolutionalNetwork
from segmodels.models.xception import WIDTHS, XCEPTIONS, Xception

#: Dilations of the pyramid by the stride of the last map (table 3).
DILATIONS = {8: (12, 24, 36), 16: (6, 12, 18)}


@dataclass(frozen=True)
class DeepLabV3PlusXceptionConfig(ModelConfig):
    """Arguments of DeepLabV3+ on Xception.

    Attributes:
        backbone: timm's name of it, one of ``XCEPTIONS``.
        output_stride: sides of the image over those of the pyramid, 8 or 16.
        channels: width of the pyramid and of the decoder.
        fine_channels: to which the map at 1/4 is reduced.
        dropout: of whole channels before the classifier.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}

    backbone: str = "xception65"
    output_stride: int = 16
    channels: int = 256
    fine_channels: int = 48
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("backbone", self.backbone, XCEPTIONS)
        if self.output_stride not in DILATIONS:
            raise SegmodelsError(f"output_stride must be 8 or 16, got {self.output_stride}.")
        for name in ("channels", "fine_channels"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class DeepLabV3PlusXception(ConvolutionalNetwork):
    """Takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = DeepLabV3PlusXceptionConfig

    def __init__(self, config: DeepLabV3PlusXceptionConfig) -> None:
        pyramid = Pyramid(DILATIONS[config.output_stride], merged_by=1)
        head = DeepLabV3PlusHead(WIDTHS, config, pyramid)
        super().__init__(config, Xception(config.backbone, config.output_stride), head)
