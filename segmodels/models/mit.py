"""Mix Transformer, SegFormer's encoder (Xie et al., NeurIPS 2021, arXiv 2105.15203, section 3.1).

The numbers are those of the released code and weights; the paper's appendix table prints
other expansion ratios and depths for some sizes. Attribute names follow the official
checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig, one_of, round_up, to_map, to_tokens, upsample
from segmodels.models.drop_path import DropPath, schedule
from segmodels.models.grad_checkpointing import run

STAGES = (1, 2, 3, 4)
STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True)
class MiTConfig(ModelConfig):
    """Arguments of the encoder, one value per stage in the tuples.

    Attributes:
        reductions: side of the square of keys and values merged into one.
        expansion: hidden width of the Mix-FFN over the width of the stage.
        mix_ffn: whether a depthwise convolution stands between the layers of the Mix-FFN.
        position: ``"none"``, or ``"learned"``: a table of positions in every stage, what the
            paper's table 1c calls PE. Where it is added and how it is stretched the paper does not
            say: here to the patches of a stage, bilinearly, as in earlier pyramids of this kind.
        image_size: (height, width), or one side, for which those tables are made; None without.
        drop_path: rate of the last block; the first of all stages has 0.
        norm_eps: of the blocks and at the end of a stage.
        inner_norm_eps: of the norms behind a patch embedding or a reduction; 1e-5 in the official
            code, 1e-6 in mmsegmentation.
    """

    RATES: ClassVar[Mapping[str, str]] = {"drop_path": "drop_path", "dropout": "dropout"}
    LATER: ClassVar[tuple[str, ...]] = ("mix_ffn", "position", "image_size", "inner_norm_eps")

    widths: tuple[int, ...] = (32, 64, 160, 256)
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    reductions: tuple[int, ...] = (8, 4, 2, 1)
    expansion: int = 4
    dropout: float = 0.0
    drop_path: float = 0.1
    norm_eps: float = 1e-6
    mix_ffn: bool = True
    position: str = "none"
    image_size: int | tuple[int, int] | None = None
    inner_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("position", self.position, ("none", "learned"))
        object.__setattr__(self, "image_size", self._table_size())
        for name in ("widths", "depths", "heads", "reductions"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != len(STAGES) or min(values) < 1:
                raise SegmodelsError(f"{name} must be 4 positive numbers, got {values}.")
        for width, heads in zip(self.widths, self.heads, strict=True):
            if width % heads:
                raise SegmodelsError(f"width {width} does not divide by {heads} heads.")

    def _table_size(self) -> tuple[int, int] | None:
        if self.position == "none":
            return None
        size = 512 if self.image_size is None else self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        if min(height, width) < 1:
            raise SegmodelsError(f"image_size must be at least 1 pixel a side, got {size}.")
        return height, width

    def grid(self, stage: int) -> tuple[int, int]:
        """Rows and columns of the position table of a stage, 0 to 3."""
        assert isinstance(self.image_size, tuple)
        height, width = (round_up(side, STRIDES[stage]) for side in self.image_size)
        return height // STRIDES[stage], width // STRIDES[stage]

    @property
    def smallest_side(self) -> int:
        """Shortest image side for which every stage has at least one key left."""
        reduced = zip(STRIDES, self.reductions, strict=True)
        return max(stride * (reduction - 1) + 1 for stride, reduction in reduced)


class PatchEmbed(nn.Module):
    """Overlapping patches: strided convolution, then LayerNorm."""

    def __init__(self, inputs: int, width: int, kernel: int, stride: int, eps: float) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """A map (B, inputs, h, w) to tokens (B, N, width) and their (rows, columns)."""
        x = self.proj(x)
        rows, columns = x.shape[-2:]
        return self.norm(to_tokens(x)), (rows, columns)


class Attention(nn.Module):
    """Self-attention whose keys and values come from a shrunken map (equation 2)."""

    def __init__(self, config: MiTConfig, stage: int) -> None:
        super().__init__()
        width, reduction = config.widths[stage], config.reductions[stage]
        self.heads, self.reduction, self.dropout = config.heads[stage], reduction, config.dropout
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width, eps=config.inner_norm_eps)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, N, width) on a grid to tokens of the same shape."""
        batch, tokens, width = x.shape
        # No padding: rows and columns that do not fill a square are dropped.
        context = self.norm(to_tokens(self.sr(to_map(x, grid)))) if self.reduction > 1 else x
        query = self.q(x).view(batch, tokens, self.heads, -1).transpose(1, 2)
        both = self.kv(context).view(batch, context.shape[1], 2, self.heads, -1)
        key, value = both.permute(2, 0, 3, 1, 4).unbind(0)
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        merged = mixed.transpose(1, 2).reshape(batch, tokens, width)
        return F.dropout(self.proj(merged), self.dropout, self.training)


class Positions(nn.Module):
    """A learned vector per place of a grid, resized bilinearly to other grids."""

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, width, *grid))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, N, width) on a grid to the same with their positions added."""
        return x + to_tokens(upsample(self.table, grid))


class DepthwiseConv(nn.Module):
    """A 3x3 convolution per channel; its zero padding is what tells positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, N, width) on a grid to tokens of the same shape."""
        return to_tokens(self.dwconv(to_map(x, grid)))


class MixFFN(nn.Module):
    """Linear, depthwise convolution (no activation between), GELU, linear (equation 3).

    Without ``mixing`` there is no convolution: the MLP of a ViT.
    """

    def __init__(self, width: int, hidden: int, dropout: float, mixing: bool = True) -> None:
        super().__init__()
        self.dropout = dropout
        self.fc1 = nn.Linear(width, hidden)
        self.dwconv = DepthwiseConv(hidden) if mixing else None
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, N, width) on a grid to tokens of the same shape."""
        hidden = self.fc1(x)
        if self.dwconv is not None:
            hidden = self.dwconv(hidden, grid)
        hidden = F.gelu(hidden)
        hidden = F.dropout(hidden, self.dropout, self.training)
        return F.dropout(self.fc2(hidden), self.dropout, self.training)


class Block(nn.Module):
    """Pre-norm block of reduced attention and Mix-FFN, for one stage of a config."""

    def __init__(self, config: MiTConfig, stage: int, drop_path: float) -> None:
        super().__init__()
        width, rate = config.widths[stage], config.dropout
        self.norm1 = nn.LayerNorm(width, eps=config.norm_eps)
        self.attn = Attention(config, stage)
        self.norm2 = nn.LayerNorm(width, eps=config.norm_eps)
        self.mlp = MixFFN(width, config.expansion * width, rate, config.mix_ffn)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, N, width) on a grid to tokens of the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x), grid))
        y: Tensor = x + self.drop_path(self.mlp(self.norm2(x), grid))
        return y


class MiT(nn.Module):
    """Four stages at 1/4, 1/8, 1/16 and 1/32 of the image, for any image size."""

    def __init__(self, config: MiTConfig) -> None:
        super().__init__()
        self.grad_checkpointing = False
        self.has_positions = config.position != "none"
        rates = iter(schedule(config.drop_path, sum(config.depths)))
        inputs = (3, *config.widths)
        for stage, number in enumerate(STAGES):
            kernel, stride = (7, 4) if stage == 0 else (3, 2)
            width, depth = config.widths[stage], config.depths[stage]
            embed = PatchEmbed(inputs[stage], width, kernel, stride, config.inner_norm_eps)
            blocks = nn.ModuleList(Block(config, stage, next(rates)) for _ in range(depth))
            setattr(self, f"patch_embed{number}", embed)
            if self.has_positions:
                setattr(self, f"pos_embed{number}", Positions(width, config.grid(stage)))
            setattr(self, f"block{number}", blocks)
            setattr(self, f"norm{number}", nn.LayerNorm(width, eps=config.norm_eps))
        self.apply(_init)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to four maps (B, width, ⌈H / stride⌉, ⌈W / stride⌉)."""
        maps = [images]
        for number in STAGES:
            x, grid = self._part("patch_embed", number)(maps[-1])
            if self.has_positions:
                x = self._part("pos_embed", number)(x, grid)
            for block in self._part("block", number):
                x = run(block, x, grid, checkpointing=self.grad_checkpointing)
            maps.append(to_map(self._part("norm", number)(x), grid))
        return maps[1:]

    def _part(self, name: str, number: int) -> Any:
        return getattr(self, f"{name}{number}")


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))
        assert module.bias is not None
        nn.init.zeros_(module.bias)
