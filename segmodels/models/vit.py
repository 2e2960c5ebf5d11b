"""The Vision Transformer as Segmenter uses it (arXiv 2105.05633, section 3.1).

Differences from timm's ViT that change numbers: every LayerNorm has PyTorch's default
eps 1e-5 although the AugReg weights were trained with 1e-6, and the unused ImageNet head
stays in the network and in the published parameter counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, SegModel, one_of, to_map, to_tokens
from segmodels.models.drop_path import DropPath, schedule
from segmodels.models.grad_checkpointing import run


@dataclass(frozen=True)
class ViTConfig(ModelConfig):
    """Arguments of the encoder.

    Attributes:
        image_size: (height, width), or one side, for which the position table is made.
        imagenet_classes: outputs of the unused classification head; 0 leaves it out.
        distilled: DeiT's second extra token, with a head of its own.
        drop_path: rate of the last block; the first has 0.
        position_resize: how the position table is fitted to images of another size,
            ``"bilinear"`` or ``"bicubic"`` (mmsegmentation's Segmenter).
    """

    RATES: ClassVar[Mapping[str, str]] = {"drop_path": "drop_path", "dropout": "dropout"}

    image_size: int | tuple[int, int] = 512
    patch_size: int = 16
    width: int = 192
    layers: int = 12
    heads: int = 3
    distilled: bool = False
    imagenet_classes: int = 1000
    dropout: float = 0.0
    drop_path: float = 0.1
    norm_eps: float = 1e-5
    position_resize: str = "bilinear"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("position_resize", self.position_resize, ("bilinear", "bicubic"))
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        object.__setattr__(self, "image_size", (height, width))
        if min(height, width) < 1 or height % self.patch_size or width % self.patch_size:
            raise SegmodelsError(
                f"image_size {height}x{width} must be a multiple of the patch size "
                f"{self.patch_size}."
            )
        if self.width % self.heads:
            raise SegmodelsError(f"width {self.width} does not divide by {self.heads} heads.")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the position table."""
        assert isinstance(self.image_size, tuple)
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection to queries, keys and values."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) to tokens of the same shape."""
        batch, tokens, width = x.shape
        split = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        merged = mixed.transpose(1, 2).reshape(batch, tokens, width)
        return F.dropout(self.proj(merged), self.dropout, self.training)


class MLP(nn.Module):
    """Two layers with exact GELU; dropout after each."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) to tokens of the same shape."""
        hidden = F.dropout(F.gelu(self.fc1(x)), self.dropout, self.training)
        return F.dropout(self.fc2(hidden), self.dropout, self.training)


class Block(nn.Module):
    """Pre-norm transformer block; Segmenter's mask decoder is made of the same."""

    def __init__(
        self, width: int, heads: int, dropout: float, drop_path: float, norm_eps: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attn = Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = MLP(width, dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, N, width) to tokens of the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        y: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return y


class Patches(nn.Module):
    """Cut the image into squares and project each to one token."""

    def __init__(self, patch_size: int, width: int, bias: bool = True) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to a map of tokens (B, width, H / patch, W / patch)."""
        y: Tensor = self.proj(images)
        return y


class ViT(nn.Module):
    """Encoder: patch tokens behind a class token (and a distillation token), normalised.

    Args:
        config: sizes.
        patch_bias: whether the projection of patches has a bias.
        final_norm: False leaves ``norm`` out, for encoders that give no normalised tokens.
    """

    def __init__(
        self, config: ViTConfig, *, patch_bias: bool = True, final_norm: bool = True
    ) -> None:
        super().__init__()
        width, classes = config.width, config.imagenet_classes
        self.grid, self.extra = config.grid, 2 if config.distilled else 1
        self.dropout, self.position_resize = config.dropout, config.position_resize
        self.grad_checkpointing = False
        self.patch_embed = Patches(config.patch_size, width, patch_bias)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        if config.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, width))
        tokens = self.extra + self.grid[0] * self.grid[1]
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = nn.ModuleList(
            Block(width, config.heads, config.dropout, rate, config.norm_eps)
            for rate in schedule(config.drop_path, config.layers)
        )
        if final_norm:
            self.norm = nn.LayerNorm(width, eps=config.norm_eps)
        for name in ("head", "head_dist")[: self.extra if classes else 0]:
            # Never used here; frozen, so that nothing waits for its gradient.
            setattr(self, name, nn.Linear(width, classes).requires_grad_(False))
        self.apply(init_linear)
        for name, parameter in self.named_parameters(recurse=False):
            if name.endswith(("token", "embed")):
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Patch tokens (B, N, width), row by row, of images whose sides fit the patches."""
        return self.tokens(images)[:, self.extra :]

    def tokens(self, images: Tensor) -> Tensor:
        """All normalised tokens (B, extra + N, width): class, distillation, then patches."""
        x, _ = self.embed(images)
        for block in self.blocks:
            x = run(block, x, checkpointing=self.grad_checkpointing)
        y: Tensor = self.norm(x)
        return y

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """All tokens with their positions, before the first block, and the patches' grid."""
        patches = self.patch_embed(images)
        rows, columns = patches.shape[-2:]
        names = ("cls_token", "dist_token")[: self.extra]
        extra = [getattr(self, name).expand(len(images), -1, -1) for name in names]
        x = torch.cat([*extra, to_tokens(patches)], dim=1)
        x = x + resize_positions(
            self.pos_embed, self.grid, (rows, columns), self.extra, self.position_resize
        )
        return F.dropout(x, self.dropout, self.training), (rows, columns)


class PatchModel(SegModel):
    """A ViT and a decoder that turns patch tokens (B, N, width) into scores (B, N, classes)."""

    Config = ViTConfig

    def __init__(self, config: ViTConfig, decoder: nn.Module) -> None:
        super().__init__(config)
        self.stride = config.patch_size
        self.encoder = ViT(config)
        self.decoder = decoder

    def forward_lowres(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes, H' / patch, W' / patch); sides are padded with 0 first."""
        padded = self.pad(images)
        height, width = padded.shape[-2:]
        scores = self.decoder(self.encoder(padded))
        return to_map(scores, (height // self.stride, width // self.stride))


def resize_positions(
    table: Tensor,
    old: tuple[int, int],
    new: tuple[int, int],
    extra: int,
    mode: str = "bilinear",
) -> Tensor:
    """Position table (1, extra + old rows * columns, width) for another grid.

    Without antialiasing; the extra tokens keep theirs. As in the official code a
    grid of another shape but as many cells uses the table as it is, row by row.
    """
    if old[0] * old[1] == new[0] * new[1]:
        return table
    width = table.shape[-1]
    grid = table[:, extra:].reshape(1, *old, width).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=new, mode=mode, align_corners=False)
    return torch.cat([table[:, :extra], to_tokens(grid)], dim=1)


def init_linear(module: nn.Module) -> None:
    """Truncated normal (0.02) weights and zero bias, for every Linear; use with ``apply``."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
