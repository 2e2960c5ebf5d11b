"""Queries, keys and values of an attention layer, from what went into it.

To draw another kind of layer: a function here, and a line in `parts_of`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.models.base import to_map, to_tokens
from segmodels.models.depict import SubspaceAttention
from segmodels.models.mit import Attention as MiTAttention
from segmodels.models.vit import Attention as ViTAttention


@dataclass(frozen=True)
class Parts:
    """What attention is computed from, of one image.

    Attributes:
        query: (heads, queries, width of a head).
        key, value: (heads, keys, width of a head).
        project: makes the layer's output (width,) of one query from its mixed values, heads
            one after the other.
        crosses: whether other tokens look than are looked at.
        query_grid, key_grid: rows and columns where the layer itself knows them.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    project: Callable[[Tensor], Tensor]
    crosses: bool = False
    query_grid: tuple[int, int] | None = None
    key_grid: tuple[int, int] | None = None


def parts_of(module: nn.Module, given: tuple[Any, ...]) -> Parts:
    """The parts of a layer that was given inputs of one image."""
    if isinstance(module, ViTAttention):
        return _vit(module, given[0])
    if isinstance(module, MiTAttention):
        return _mit(module, given[0], given[1])
    assert isinstance(module, SubspaceAttention)
    return _subspace(module, given[0], given[1])


def _heads(x: Tensor, heads: int) -> Tensor:
    """(1, N, heads * width) to (heads, N, width)."""
    return x[0].reshape(x.shape[1], heads, -1).transpose(0, 1)


def _vit(module: ViTAttention, x: Tensor) -> Parts:
    query, key, value = (_heads(one, module.heads) for one in module.qkv(x).chunk(3, dim=-1))
    return Parts(query, key, value, module.proj)


def _mit(module: MiTAttention, x: Tensor, grid: tuple[int, int]) -> Parts:
    context, key_grid = x, grid
    if module.reduction > 1:
        reduced = module.sr(to_map(x, grid))
        context, key_grid = module.norm(to_tokens(reduced)), (reduced.shape[-2], reduced.shape[-1])
    key, value = (_heads(one, module.heads) for one in module.kv(context).chunk(2, dim=-1))
    query = _heads(module.q(x), module.heads)
    return Parts(query, key, value, module.proj, query_grid=grid, key_grid=key_grid)


def _subspace(module: SubspaceAttention, queries: Tensor, tokens: Tensor) -> Parts:
    heads = module.size.heads
    key = _heads(F.linear(tokens, module.proj), heads)
    query = _heads(F.linear(queries, module.proj), heads)

    def project(mixed: Tensor) -> Tensor:
        return module.step_size * (mixed @ module.proj)

    return Parts(query, key, key, project, crosses=queries is not tokens)
