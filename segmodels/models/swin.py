"""Swin Transformer as a backbone for dense prediction (Liu et al., ICCV 2021, arXiv 2103.14030).

Why not timm's: it shifts the map first and pads it to whole windows afterwards, so rows that
wrapped around meet other neighbours than in the released segmentation networks, which pad
first. The two agree only where no padding is needed, and at 512 x 512 with windows of 7 it is.

Attribute names and the order of merged patches follow the official repository's checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.errors import SegmodelsError
from segmodels.models.base import ModelConfig
from segmodels.models.drop_path import DropPath, schedule
from segmodels.models.grad_checkpointing import run
from segmodels.models.vit import MLP, init_linear

PATCH = 4
STAGES = 4

#: Added to the score of a pair that the shift brought together; as in the released code, which
#: does without minus infinity.
APART = -100.0


@dataclass(frozen=True)
class SwinConfig(ModelConfig):
    """Arguments of the backbone.

    Attributes:
        width: channels of the first stage; each further stage doubles them.
        depths: blocks of each stage.
        heads: attention heads of each stage.
        window: side of a window in tokens; smaller maps are padded to one window.
        drop_path: rate of the last block; the first of all stages has 0.
    """

    RATES: ClassVar[Mapping[str, str]] = {"drop_path": "drop_path"}

    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = 7
    drop_path: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("depths", "heads"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != STAGES or min(values) < 1:
                raise SegmodelsError(f"{name} must be {STAGES} positive numbers, got {values}.")
        if self.window < 1:
            raise SegmodelsError(f"window must be at least 1, got {self.window}.")
        for width, heads in zip(self.widths, self.heads, strict=True):
            if width % heads:
                raise SegmodelsError(f"width {width} does not divide by {heads} heads.")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every stage."""
        return tuple(self.width << stage for stage in range(STAGES))


class PatchEmbed(nn.Module):
    """Cut the image into squares of 4 x 4 pixels, project and normalise each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), padded at right and bottom, to (B, ⌈H / 4⌉, ⌈W / 4⌉, width)."""
        height, width = images.shape[-2:]
        padded = F.pad(images, (0, -width % PATCH, 0, -height % PATCH))
        y: Tensor = self.norm(self.proj(padded).permute(0, 2, 3, 1))
        return y


class PatchMerging(nn.Module):
    """Concatenate squares of 2 x 2 tokens, normalise, project to twice the width (section 3.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, width) to (B, ⌈H / 2⌉, ⌈W / 2⌉, 2 * width); odd sides get a row of 0."""
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        # Down the left column of the square first, then down the right one.
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        y: Tensor = self.reduction(self.norm(torch.cat(parts, dim=-1)))
        return y


class WindowAttention(nn.Module):
    """Self-attention inside windows with a learned bias per relative position (equation 4)."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        table = torch.zeros((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        index = relative_positions(window)
        self.register_buffer("relative_position_index", index, persistent=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens (B * windows, N, width) to the same shape.

        Args:
            x: N tokens per window; the windows of one image are neighbours.
            mask: added to the scores, (windows, N, N); None for nothing.
        """
        windows, tokens, width = x.shape
        split = self.qkv(x).view(windows, tokens, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(windows // len(mask), 1, 1, 1)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        y: Tensor = self.proj(mixed.transpose(1, 2).reshape(windows, tokens, width))
        return y


class Block(nn.Module):
    """Pre-norm block (equation 3); every second one shifts its windows by half a window."""

    def __init__(self, width: int, heads: int, window: int, shift: int, drop_path: float) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, dropout=0.0)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """A map (B, H, W, width) to the same shape; the mask (windows, N, N) is for shifts only."""
        x = x + self.drop_path(self._attend(self.norm1(x), mask))
        y: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return y

    def _attend(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pad, shift, attend inside windows, and all the way back."""
        _, height, width, _ = x.shape
        x = F.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
        mixed = self.attn(to_windows(x, self.window), mask if self.shift else None)
        x = from_windows(mixed, self.window, x)
        if self.shift:
            x = x.roll((self.shift, self.shift), dims=(1, 2))
        return x[:, :height, :width]


class Stage(nn.Module):
    """Blocks of one resolution, and the merging that leads to the next."""

    def __init__(self, config: SwinConfig, stage: int, rates: list[float]) -> None:
        super().__init__()
        width, heads, self.window = config.widths[stage], config.heads[stage], config.window
        self.grad_checkpointing = False
        self.blocks = nn.ModuleList(
            Block(width, heads, self.window, self.window // 2 if index % 2 else 0, rate)
            for index, rate in enumerate(rates)
        )
        last = stage + 1 == STAGES
        self.downsample = nn.Identity() if last else PatchMerging(width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A map (B, H, W, width) to the same shape, and what goes on to the next stage."""
        mask = shift_mask(x.shape[1], x.shape[2], self.window, x.device)
        for block in self.blocks:
            x = run(block, x, mask, checkpointing=self.grad_checkpointing)
        return x, self.downsample(x)


class Swin(nn.Module):
    """Four stages at 1/4, 1/8, 1/16 and 1/32 of the image, for any image size.

    Every output has a LayerNorm of its own, ``norm0`` to ``norm3``; what flows on to the next
    stage does not pass through it.
    """

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        rates = schedule(config.drop_path, sum(config.depths))
        self.patch_embed = PatchEmbed(config.width)
        self.layers = nn.ModuleList()
        for stage, depth in enumerate(config.depths):
            first = sum(config.depths[:stage])
            self.layers.append(Stage(config, stage, rates[first : first + depth]))
            setattr(self, f"norm{stage}", nn.LayerNorm(config.widths[stage]))
        self.apply(init_linear)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) to four maps (B, width, ⌈H / stride⌉, ⌈W / stride⌉)."""
        x = self.patch_embed(images)
        maps: list[Tensor] = []
        for stage, layer in enumerate(self.layers):
            features, x = layer(x)
            maps.append(getattr(self, f"norm{stage}")(features).permute(0, 3, 1, 2))
        return maps


def relative_positions(window: int) -> Tensor:
    """Row of the bias table for each pair of tokens in a window, (window², window²)."""
    side = torch.arange(window)
    rows, columns = side.repeat_interleave(window), side.repeat(window)
    down = rows[:, None] - rows[None] + window - 1
    right = columns[:, None] - columns[None] + window - 1
    return down * (2 * window - 1) + right


def shift_mask(height: int, width: int, window: int, device: torch.device) -> Tensor:
    """What keeps apart tokens that are neighbours only by the cyclic shift (section 3.2).

    Args:
        height: rows of the map; padded to whole windows, like the columns.
        width: columns of the map.
        window: side of a window in tokens; the shift is half of it, rounded down.
        device: where the mask is made.

    Returns:
        0 for pairs of one region and -100 for others, (windows, window², window²).
    """
    rows, columns = (_regions(side + -side % window, window, device) for side in (height, width))
    regions = (3 * rows[:, None] + columns)[None, :, :, None]
    tokens = to_windows(regions, window).squeeze(-1)
    return (tokens[:, :, None] != tokens[:, None]) * APART


def _regions(side: int, window: int, device: torch.device) -> Tensor:
    """0 where no window wraps around, 1 and 2 for the two parts of the last window."""
    place = torch.arange(side, device=device)
    return (place >= side - window).long() + (place >= side - window // 2).long()


def to_windows(x: Tensor, window: int) -> Tensor:
    """A map (B, H, W, C) of whole windows to (B * windows, window², C), row by row."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


def from_windows(windows: Tensor, window: int, like: Tensor) -> Tensor:
    """Undo ``to_windows``: (B * windows, window², C) to the shape (B, H, W, C) of ``like``."""
    batch, height, width, channels = like.shape
    x = windows.view(batch, height // window, width // window, window, window, channels)
    return x.transpose(2, 3).reshape(batch, height, width, channels)
