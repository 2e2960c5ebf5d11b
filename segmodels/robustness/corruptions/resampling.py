"""Images between pixels, bilinearly in float32.

OpenCV does it fastest from its version 5 on; before, it knew places to 1/32 of a pixel only, and
PyTorch does it instead.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from segmodels.robustness.corruptions.base import Reals

#: OpenCV's own limit of the sides of what it samples.
_MOST = 32766


@lru_cache(maxsize=1)
def _opencv_is_exact() -> bool:
    """Whether this OpenCV knows places to more than 1/32 of a pixel."""
    import cv2

    ramp = np.tile(np.arange(8, dtype=np.float32) * 1024, (8, 1))
    place = np.array([[3.0078125]], np.float32)
    shift = np.array([[1, 0, 3.0078125], [0, 1, 3.0]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found = (
        cv2.remap(ramp, place, place, cv2.INTER_LINEAR),
        cv2.warpAffine(ramp, shift, (1, 1), flags=how),
    )
    return all(abs(np.asarray(one).item() - 3080) < 0.01 for one in found)


def opencv_can(values: Reals) -> bool:
    """Whether OpenCV samples an image exactly."""
    return max(values.shape[:2]) <= _MOST and _opencv_is_exact()


def enlarged(values: Reals, factor: float, rows: slice | None = None) -> Reals:
    """The middle of an image, enlarged bilinearly: first to last pixel become first to last.

    Args:
        values: float32 (H, W) or (H, W, C).
        factor: 1 or more; the middle is ceil(H / factor) by ceil(W / factor).
        rows: of the result, all of its H first if None.

    Returns:
        float32, `rows` of them, and as wide as the image, or by up to `factor` pixels wider.
    """
    sides, size = _sides(values.shape[:2], factor), enlarged_size(values.shape[:2], factor)
    top, left = ((side - part) // 2 for side, part in zip(values.shape, sides, strict=False))
    if opencv_can(values):
        return _warped(values, (top, left), sides, size, rows or slice(0, size[0]))
    middle = values[top : top + sides[0], left : left + sides[1]]
    return _interpolated(middle, size)[rows or slice(None)]


def _sides(shape: tuple[int, ...], factor: float) -> list[int]:
    return [math.ceil(side / factor) for side in shape]


def enlarged_size(shape: tuple[int, ...], factor: float) -> list[int]:
    """Height and width of what `enlarged` makes of an image of this shape."""
    return [round(part * factor) for part in _sides(shape, factor)]


def _warped(
    values: Reals, corner: tuple[int, int], sides: list[int], size: list[int], rows: slice
) -> Reals:
    import cv2

    down, across = ((part - 1) / max(1, n - 1) for part, n in zip(sides, size, strict=True))
    matrix = np.array([[across, 0, corner[1]], [0, down, corner[0] + down * rows.start]])
    shape = (rows.stop - rows.start, size[1], *values.shape[2:])
    found = cv2.warpAffine(
        values,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found).reshape(shape)


def _interpolated(middle: Reals, size: list[int]) -> Reals:
    import torch
    from torch.nn.functional import interpolate

    batch = torch.from_numpy(middle.reshape(*middle.shape[:2], -1)).permute(2, 0, 1)[None]
    large = interpolate(batch, size=size, mode="bilinear", align_corners=True)
    return np.asarray(large[0].permute(1, 2, 0).numpy()).reshape(*size, *middle.shape[2:])


def sampled(levels: Reals, right: Reals, down: Reals) -> Reals:
    """An image at places between pixels, bilinearly; beyond the edges it is mirrored.

    Args:
        levels: float32 (H, W, 3).
        right: float32 (H, W), from how many pixels to the right each one is taken.
        down: float32 (H, W), from how many below.
    """
    import cv2

    height, width = right.shape
    across = right + np.arange(width, dtype=np.float32)
    along = down + np.arange(height, dtype=np.float32)[:, None]
    if not opencv_can(levels):
        return _gridded(levels, across, along)
    found = cv2.remap(levels, across, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(found).reshape(levels.shape)


def _gridded(levels: Reals, across: Reals, along: Reals) -> Reals:
    import torch
    from torch.nn.functional import grid_sample

    # From -1 at the outer edge of the first pixel to 1 at that of the last.
    scaled = [
        (2 * places.astype(np.float64) + 1) / side - 1
        for places, side in ((across, levels.shape[1]), (along, levels.shape[0]))
    ]
    places = torch.from_numpy(np.stack(scaled, axis=2).astype(np.float32))[None]
    batch = torch.from_numpy(levels).permute(2, 0, 1)[None]
    found = grid_sample(batch, places, padding_mode="reflection", align_corners=False)
    return np.asarray(found[0].permute(1, 2, 0).numpy())
