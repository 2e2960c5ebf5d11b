"""CBT (Wen, Huang, Li, NeurIPS 2025, arXiv 2509.16875): attention through a few representatives.

The decoder is DEPICT-SA's with another attention: patches are averaged on a small grid, those means
attend to everything, then to each other, and what they gain is given back to the tokens. Facts and
attribute names are those of the authors' code (github.com/QishuaiWen/CBSA).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.core.arguments import whole
from segmodels.models.base import to_map
from segmodels.models.segmenter import compare
from segmodels.models.vit import PatchModel, ViTConfig


@dataclass(frozen=True)
class CBTConfig(ViTConfig):
    """Arguments of CBT.

    Attributes:
        decoder_layers: of the decoder.
        decoder_heads: subspaces per layer, each of ``decoder_dim_head`` dimensions whatever the
            width of the encoder.
        representatives: rows, and columns, of the grid on which patches are averaged.
    """

    decoder_layers: int = 3
    decoder_heads: int = 3
    decoder_dim_head: int = 100
    representatives: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("representatives", self.representatives, least=1)


class Contracted(nn.Module):
    """Attention of tokens to each other through representatives."""

    def __init__(self, config: CBTConfig) -> None:
        super().__init__()
        self.heads, self.side = config.decoder_heads, config.representatives
        inner = config.decoder_heads * config.decoder_dim_head
        self.proj = nn.Linear(config.width, inner, bias=False)
        self.step_x = nn.Parameter(torch.randn(self.heads, 1, 1))
        self.step_rep = nn.Parameter(torch.randn(self.heads, 1, 1))
        self.to_out = nn.Linear(inner, config.width)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Step (B, N, width) for tokens (B, N, width), the first of which are patches of a grid."""
        projected = self.proj(x)
        patches = to_map(projected[:, : grid[0] * grid[1]], grid)
        means = F.adaptive_avg_pool2d(patches, self.side).flatten(2).transpose(1, 2)
        tokens, few = self._split(projected), self._split(means)
        looks = _weights(few, tokens)
        few = few + self.step_rep * (looks @ tokens)
        gained = self.step_x * (looks.transpose(-1, -2) @ (_weights(few, few) @ few))
        y: Tensor = self.to_out(gained.transpose(1, 2).flatten(2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Layer(nn.Module):
    """LayerNorm of the tokens, then the attention as a residual step."""

    def __init__(self, config: CBTConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.fn = Contracted(config)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Same shape in and out: (B, N, width)."""
        y: Tensor = x + self.fn(self.norm(x), grid)
        return y


class Layers(nn.Module):
    """A stack of layers, under the name the checkpoints use."""

    def __init__(self, config: CBTConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.decoder_layers))


class Decoder(nn.Module):
    """Patches and class embeddings are refined together, then compared."""

    def __init__(self, config: CBTConfig) -> None:
        super().__init__()
        self.cls_emb = nn.Parameter(torch.zeros(1, config.num_classes, config.width))
        nn.init.trunc_normal_(self.cls_emb, std=0.02)
        self.net = Layers(config)
        self.decoder_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mask_norm = nn.LayerNorm(config.num_classes, eps=config.norm_eps)

    def forward(self, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """Patch tokens (B, N, width) of a grid to scores (B, N, classes), as DEPICT's."""
        x = torch.cat([patches, self.cls_emb.expand(len(patches), -1, -1)], dim=1)
        for layer in self.net.layers:
            x = layer(x, grid)
        x, number = self.decoder_norm(x), patches.shape[1]
        return compare(x[:, :number], x[:, number:], self.mask_norm)


class CBT(PatchModel):
    """CBT on Segmenter's encoder; logits at 1/patch resolution."""

    Config = CBTConfig

    def __init__(self, config: CBTConfig) -> None:
        super().__init__(config, Decoder(config))

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H' / patch, W' / patch); sides are padded with 0 first."""
        padded = self.pad(images)
        grid = (padded.shape[-2] // self.stride, padded.shape[-1] // self.stride)
        return to_map(self.decoder(self.encoder(padded), grid), grid)


def _weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Softmax over keys (B, heads, N, d) for each query (B, heads, M, d): (B, heads, M, N)."""
    return torch.softmax(queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5, dim=-1)
