"""OCRNet (Yuan et al., ECCV 2020, arXiv 1909.11065): pixels look at the regions of the classes.

A first head says roughly which pixels are of which class, every class becomes the mean of its
pixels, and the second head lets each pixel attend to these. It is the network that mmsegmentation
publishes under this name and papers quote, on HRNet. Attribute names follow mmsegmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, one_of
from segmodels.models.convolution import ConvBN
from segmodels.models.encoder_decoder import AUXILIARY_WEIGHT, ConvolutionalNetwork
from segmodels.models.fcn import Head
from segmodels.models.fcn_hrnet import head_on_all
from segmodels.models.hrnet import HRNETS, concatenated, hrnet


@dataclass(frozen=True)
class OCRNetConfig(ModelConfig):
    """Arguments of OCRNet.

    Attributes:
        backbone: timm's name of it, one of ``HRNETS``.
        channels: width of the second head.
        ocr_channels: of query, key and value.
        dropout: of whole channels before every classifier.
    """

    RATES: ClassVar[Mapping[str, str]] = {"decoder_dropout": "dropout"}

    backbone: str = "hrnet_w48"
    channels: int = 512
    ocr_channels: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("backbone", self.backbone, HRNETS)
        for name in ("channels", "ocr_channels"):
            if getattr(self, name) < 1:
                raise SegmodelsError(f"{name} must be at least 1, got {getattr(self, name)}.")


class ObjectAttention(nn.Module):
    """Each pixel asks, the classes answer; what they say is merged with the pixel (section 3.2)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.query_project = nn.Sequential(ConvBN(channels, inner), ConvBN(inner, inner))
        self.key_project = nn.Sequential(ConvBN(channels, inner), ConvBN(inner, inner))
        self.value_project = ConvBN(channels, inner)
        self.out_project = ConvBN(inner, channels)
        self.bottleneck = ConvBN(2 * channels, channels)

    def forward(self, pixels: Tensor, classes: Tensor) -> Tensor:
        """A map (B, channels, h, w) and classes (B, channels, N, 1) to a map of that shape."""
        query = self.query_project(pixels).flatten(2).transpose(1, 2)
        key = self.key_project(classes).flatten(2)
        value = self.value_project(classes).flatten(2).transpose(1, 2)
        weights = (query @ key * key.shape[1] ** -0.5).softmax(dim=-1)
        answer = (weights @ value).transpose(1, 2)
        context = self.out_project(answer.reshape(*answer.shape[:2], *pixels.shape[-2:]))
        merged: Tensor = self.bottleneck(torch.cat([context, pixels], dim=1))
        return merged


class OCRHead(Head):
    """From the maps and rough logits to the final ones."""

    def __init__(self, inputs: int, config: OCRNetConfig) -> None:
        super().__init__(config.channels, config.num_classes, config.dropout)
        self.bottleneck = ConvBN(inputs, config.channels, 3)
        self.object_context_block = ObjectAttention(config.channels, config.ocr_channels)

    def forward(self, x: Tensor, rough: Tensor) -> Tensor:
        """A map (B, inputs, h, w) and logits (B, num_classes, h, w) to logits of that shape."""
        pixels = self.bottleneck(x)
        shares = rough.flatten(2).softmax(dim=-1)  # of each class, over the pixels
        regions = pixels.flatten(2) @ shares.transpose(1, 2)
        return self.classify(self.object_context_block(pixels, regions.unsqueeze(-1)))


class OCRNet(ConvolutionalNetwork):
    """OCRNet; takes images of any size, gives logits at 1/4 (rounded up)."""

    Config = OCRNetConfig

    def __init__(self, config: OCRNetConfig) -> None:
        backbone, widths = hrnet(config.backbone)
        first = head_on_all(widths, config.num_classes, config.dropout)
        super().__init__(config, backbone, nn.ModuleList([first, OCRHead(sum(widths), config)]))

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, ⌈H / 4⌉, ⌈W / 4⌉) of images (B, 3, H, W)."""
        return self._both(images)[-1]

    def forward_supervised(self, images: Tensor) -> list[tuple[Tensor, float]]:
        """Final logits with weight 1, those of the first head with weight 0.4."""
        rough, final = self._both(images)
        return [(final, 1.0), (rough, AUXILIARY_WEIGHT)]

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = concatenated(self.features(images))
        assert isinstance(self.decode_head, nn.ModuleList)
        first, second = self.decode_head
        rough = first([x])
        return rough, second(x, rough)
