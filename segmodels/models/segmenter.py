"""Segmenter (Strudel et al., ICCV 2021, arXiv 2105.05633): a ViT and one of two decoders.

Attribute names follow the official checkpoints, so their keys are our keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from segmodels.models.base import one_of
from segmodels.models.drop_path import schedule
from segmodels.models.vit import Block, PatchModel, ViTConfig, init_linear


@dataclass(frozen=True)
class SegmenterConfig(ViTConfig):
    """Arguments of Segmenter.

    Attributes:
        decoder: ``"mask"`` (transformer) or ``"linear"``; the rest concerns the former.
        decoder_layers: 2 in the paper; the Cityscapes ViT-L weights have 1.
        decoder_heads: None for one head per 64 channels.
        decoder_norm_eps: of the mask decoder's LayerNorms; None for the encoder's
            ``norm_eps``. mmsegmentation's port has 1e-6 there and 1e-5 here.
    """

    RATES: ClassVar[Mapping[str, str]] = {
        **ViTConfig.RATES,
        "decoder_drop_path": "decoder_drop_path",
        "decoder_dropout": "decoder_dropout",
    }

    decoder: str = "mask"
    decoder_layers: int = 2
    decoder_heads: int | None = None
    decoder_dropout: float = 0.1
    decoder_drop_path: float = 0.0
    decoder_norm_eps: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("decoder", self.decoder, ("mask", "linear"))


class LinearDecoder(nn.Module):
    """One linear layer per patch (section 3.2, "linear")."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.head = nn.Linear(config.width, config.num_classes)
        self.apply(init_linear)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch tokens (B, N, width) to scores (B, N, classes)."""
        y: Tensor = self.head(patches)
        return y


class MaskDecoder(nn.Module):
    """Patches and learned class tokens through a transformer, then compared (equation 4)."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        width, eps = config.width, config.decoder_norm_eps
        eps = config.norm_eps if eps is None else eps
        heads = config.decoder_heads or max(width // 64, 1)
        self.proj_dec = nn.Linear(width, width)
        self.cls_emb = nn.Parameter(torch.zeros(1, config.num_classes, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, config.decoder_dropout, rate, eps)
            for rate in schedule(config.decoder_drop_path, config.decoder_layers)
        )
        self.decoder_norm = nn.LayerNorm(width, eps=eps)
        self.proj_patch = nn.Parameter(torch.empty(width, width).normal_(std=width**-0.5))
        self.proj_classes = nn.Parameter(torch.empty(width, width).normal_(std=width**-0.5))
        self.mask_norm = nn.LayerNorm(config.num_classes, eps=eps)
        self.apply(init_linear)
        nn.init.trunc_normal_(self.cls_emb, std=0.02)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch tokens (B, N, width) to scores (B, N, classes), normalised over classes."""
        x = torch.cat([self.proj_dec(patches), self.cls_emb.expand(len(patches), -1, -1)], dim=1)
        for block in self.blocks:
            x = block(x)
        x, number = self.decoder_norm(x), patches.shape[1]
        return compare(
            x[:, :number] @ self.proj_patch, x[:, number:] @ self.proj_classes, self.mask_norm
        )


class Segmenter(PatchModel):
    """Segmenter with its linear or its mask decoder; logits at 1/patch resolution."""

    Config = SegmenterConfig

    def __init__(self, config: SegmenterConfig) -> None:
        decoder = MaskDecoder if config.decoder == "mask" else LinearDecoder
        super().__init__(config, decoder(config))


def compare(patches: Tensor, classes: Tensor, mask_norm: nn.Module) -> Tensor:
    """Cosine of each patch (B, N, d) with each class (B, C, d), LayerNorm over classes."""
    scores: Tensor = mask_norm(unit(patches) @ unit(classes).transpose(1, 2))
    return scores


def unit(x: Tensor) -> Tensor:
    """Vectors of length 1 along the last dimension; no epsilon, as in the official code."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length
