"""What corruptions on a device are made of: (H, W, 3) tensors, float32 grey levels, no waiting.

Filters are sums of shifted copies rather than convolutions, which a GPU may compute in TF32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from segmodels.robustness.corruptions.base import Reals

#: Image, parameters of the severity, draws on the image's device -> image; all uint8 (H, W, 3).
Apply = Callable[[torch.Tensor, Any, Any], torch.Tensor]


def truncated(levels: torch.Tensor) -> torch.Tensor:
    """Grey levels as float to uint8, truncated; beyond 0 to 255 they are clipped."""
    return levels.clamp(0, 255).to(torch.uint8)


def on(device: torch.device, values: Any) -> Any:
    """Draws or a table of the processor's corruptions, on a device: arrays become tensors."""
    if isinstance(values, np.ndarray):
        return torch.from_numpy(np.array(values)).to(device)
    if isinstance(values, tuple) and hasattr(values, "_fields"):
        return type(values)(*(on(device, value) for value in values))
    if isinstance(values, list | tuple):
        return [on(device, value) for value in values]
    return values


def looked_up(table: Reals, *indices: torch.Tensor) -> torch.Tensor:
    """`table[indices]` for a table of 256 values a side; the indices are uint8."""
    flat, place = on(indices[0].device, np.ascontiguousarray(table).ravel()), indices[0].long()
    for index in indices[1:]:
        place = place * 256 + index.long()
    found: torch.Tensor = flat[place]
    return found


def padded(values: torch.Tensor, reach: int, dim: int, edge: str) -> torch.Tensor:
    """`reach` more values on both sides of a dimension.

    Args:
        values: any shape.
        reach: how many.
        dim: along which dimension.
        edge: `nearest` repeats the last one, `reflect` mirrors with and `mirror` without it.
    """
    side = values.shape[dim]
    index = np.arange(-reach, side + reach)
    if edge == "nearest":
        index = np.clip(index, 0, side - 1)
    elif edge == "reflect":
        index = np.minimum(index % (2 * side), 2 * side - 1 - index % (2 * side))
    else:
        period = max(1, 2 * side - 2)
        index = np.minimum(index % period, period - index % period)
    return values.index_select(dim, on(values.device, index))


def filtered(values: torch.Tensor, weights: Reals, dim: int, edge: str) -> torch.Tensor:
    """A filter along one dimension of float32."""
    side = values.shape[dim]
    wide = padded(values, len(weights) // 2, dim, edge)
    total = torch.zeros_like(values)
    for first, weight in enumerate(weights):
        total.add_(wide.narrow(dim, first, side), alpha=float(weight))
    return total


def enlarged(values: torch.Tensor, factor: float) -> torch.Tensor:
    """The middle of float32 (H, W, C), enlarged; see `corruptions.resampling.enlarged`."""
    from segmodels.robustness.corruptions.resampling import enlarged_size, middle

    rows, columns = middle(values.shape[:2], factor)
    batch = values[rows, columns].permute(2, 0, 1)[None]
    size = enlarged_size(values.shape[:2], factor)
    large = torch.nn.functional.interpolate(batch, size=size, mode="bilinear", align_corners=True)
    return large[0].permute(1, 2, 0)
