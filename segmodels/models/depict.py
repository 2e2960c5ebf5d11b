"""DEPICT (Wen & Li, NeurIPS 2024, arXiv 2411.03033): attention as compression to subspaces.

The encoder is Segmenter's. The decoder has neither MLPs nor separate query, key, value
and output matrices: one matrix per layer spans the subspaces, and one learned scalar
(which may be negative) is the step. Attribute names follow the official checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import one_of
from segmodels.models.segmenter import compare
from segmodels.models.vit import PatchModel, ViTConfig


@dataclass(frozen=True)
class DepictConfig(ViTConfig):
    """Arguments of DEPICT; the ``cross`` ones concern the CA variant only.

    Attributes:
        attention: ``"sa"``: patches and classes attend together; ``"ca"``: patches attend
            to each other, then classes to patches.
        decoder_heads: subspaces per layer, each of ``decoder_dim_head`` dimensions whatever
            the width of the encoder.
        cross_heads: None for as many as ``decoder_heads``.
        decoder_dropout: on the attention weights.
    """

    RATES: ClassVar[Mapping[str, str]] = {**ViTConfig.RATES, "decoder_dropout": "decoder_dropout"}

    attention: str = "sa"
    decoder_layers: int = 3
    decoder_heads: int = 3
    decoder_dim_head: int = 100
    cross_layers: int = 3
    cross_heads: int | None = None
    cross_dim_head: int = 50
    decoder_dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("attention", self.attention, ("sa", "ca"))


@dataclass(frozen=True)
class Subspaces:
    """Size of one attention layer: its width, and number and dimension of its subspaces."""

    width: int
    heads: int
    dim_head: int
    dropout: float


class SubspaceAttention(nn.Module):
    """Attention whose queries, keys, values and output share one projection."""

    def __init__(self, size: Subspaces) -> None:
        super().__init__()
        self.size = size
        inner = size.heads * size.dim_head
        self.proj = nn.Parameter(torch.empty(inner, size.width).normal_(std=size.width**-0.5))
        self.step_size = nn.Parameter(torch.randn(1))

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Step (B, M, width) for queries (B, M, width) that look at tokens (B, N, width)."""
        keys = self._split(tokens)
        rate = self.size.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(
            keys if queries is tokens else self._split(queries), keys, keys, dropout_p=rate
        )
        return self.step_size * (mixed.transpose(1, 2).flatten(2) @ self.proj)

    def _split(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:2], self.size.heads, self.size.dim_head)
        return F.linear(x, self.proj).view(shape).transpose(1, 2)


class Layer(nn.Module):
    """LayerNorm of the tokens, then subspace attention as a residual step."""

    def __init__(self, size: Subspaces, norm_eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size.width, eps=norm_eps)
        self.fn = SubspaceAttention(size)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) attend to themselves."""
        normed = self.norm(x)
        y: Tensor = x + self.fn(normed, normed)
        return y

    def cross(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Queries (B, M, width), which are not normalised, attend to tokens (B, N, width)."""
        y: Tensor = queries + self.fn(queries, self.norm(tokens))
        return y


class Layers(nn.Module):
    """A stack of layers, under the name the checkpoints use."""

    def __init__(self, size: Subspaces, depth: int, norm_eps: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(size, norm_eps) for _ in range(depth))


class SelfDecoder(nn.Module):
    """DEPICT-SA: patches and class embeddings are refined together, then compared."""

    def __init__(self, config: DepictConfig) -> None:
        super().__init__()
        self.cls_emb = _embeddings(config)
        self.net = _refiner(config)
        self.decoder_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mask_norm = nn.LayerNorm(config.num_classes, eps=config.norm_eps)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch tokens (B, N, width) to scores (B, N, classes), normalised over classes."""
        x = torch.cat([patches, self.cls_emb.expand(len(patches), -1, -1)], dim=1)
        for layer in self.net.layers:
            x = layer(x)
        x, number = self.decoder_norm(x), patches.shape[1]
        return compare(x[:, :number], x[:, number:], self.mask_norm)


class CrossDecoder(nn.Module):
    """DEPICT-CA: patches are refined alone, then class embeddings attend to them."""

    def __init__(self, config: DepictConfig) -> None:
        super().__init__()
        heads = config.cross_heads or config.decoder_heads
        size = Subspaces(config.width, heads, config.cross_dim_head, config.decoder_dropout)
        self.cls_emb = _embeddings(config)
        self.snet = _refiner(config)
        self.snorm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.cnet = Layers(size, config.cross_layers, config.norm_eps)
        self.cnorm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mask_norm = nn.LayerNorm(config.num_classes, eps=config.norm_eps)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch tokens (B, N, width) to scores (B, N, classes), normalised over classes."""
        for layer in self.snet.layers:
            patches = layer(patches)
        patches = self.snorm(patches)
        # PyTorch multiplies an expanded tensor in one way or another, with other rounding,
        # depending on whether it may need a gradient; a tensor of its own has one way only.
        classes: Tensor = self.cls_emb.repeat(len(patches), 1, 1)
        for layer in self.cnet.layers:
            assert isinstance(layer, Layer)
            classes = layer.cross(classes, patches)
        return compare(patches, self.cnorm(classes), self.mask_norm)


class Depict(PatchModel):
    """DEPICT-SA or DEPICT-CA; logits at 1/patch resolution."""

    Config = DepictConfig

    def __init__(self, config: DepictConfig) -> None:
        decoder = SelfDecoder if config.attention == "sa" else CrossDecoder
        super().__init__(config, decoder(config))


def _embeddings(config: DepictConfig) -> nn.Parameter:
    embeddings = nn.Parameter(torch.zeros(1, config.num_classes, config.width))
    nn.init.trunc_normal_(embeddings, std=0.02)
    return embeddings


def _refiner(config: DepictConfig) -> Layers:
    size = Subspaces(
        config.width, config.decoder_heads, config.decoder_dim_head, config.decoder_dropout
    )
    return Layers(size, config.decoder_layers, config.norm_eps)
