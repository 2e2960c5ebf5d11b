"""Images between pixels, bilinearly in float32.

OpenCV does it fastest from its version 5 on; before, it knew places to 1/32 of a pixel only, and
PyTorch does it instead.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Floats
from segmodels.robustness.corruptions.base import Reals, strips

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
    size = enlarged_size(values.shape[:2], factor)
    down, across = middle(values.shape[:2], factor)
    if opencv_can(values):
        return _warped(values, down, across, size, rows or slice(0, size[0]))
    return _interpolated(values[down, across], size)[rows or slice(None)]


def middle(shape: tuple[int, ...], factor: float) -> tuple[slice, slice]:
    """Rows and columns of the middle of an image that is to be enlarged."""
    down, across = (
        slice((side - part) // 2, (side - part) // 2 + part)
        for side, part in zip(shape, _sides(shape, factor), strict=True)
    )
    return down, across


def _sides(shape: tuple[int, ...], factor: float) -> list[int]:
    return [math.ceil(side / factor) for side in shape]


def enlarged_size(shape: tuple[int, ...], factor: float) -> list[int]:
    """Height and width of what `enlarged` makes of an image of this shape."""
    return [round(part * factor) for part in _sides(shape, factor)]


def _warped(values: Reals, down: slice, across: slice, size: list[int], rows: slice) -> Reals:
    import cv2

    along, beside = (
        (part.stop - part.start - 1) / max(1, n - 1)
        for part, n in zip((down, across), size, strict=True)
    )
    first = down.start + along * rows.start
    matrix = np.array([[beside, 0, across.start], [0, along, first]])
    shape = (rows.stop - rows.start, size[1], *values.shape[2:])
    found = cv2.warpAffine(
        values,
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found).reshape(shape)


def _interpolated(part: Reals, size: list[int]) -> Reals:
    import torch
    from torch.nn.functional import interpolate

    batch = torch.from_numpy(part.reshape(*part.shape[:2], -1)).permute(2, 0, 1)[None]
    large = interpolate(batch, size=size, mode="bilinear", align_corners=True)
    return np.asarray(large[0].permute(1, 2, 0).numpy()).reshape(*size, *part.shape[2:])


Index = npt.NDArray[np.int64]


def between(side: int, factor: float) -> tuple[Index, Index, Floats]:
    """Along one side of an enlargement, which two values lie around each place, and where between.

    Returns:
        the first of the two, the second, and the share of the second: (n,) each.
    """
    down, _ = middle((side, 1), factor)
    part, number = down.stop - down.start, enlarged_size((side,), factor)[0]
    places = np.arange(number) * ((part - 1) / max(1, number - 1))
    first = np.minimum(places.astype(np.int64), part - 1)
    second = np.minimum(first + 1, part - 1)
    return down.start + first, down.start + second, places - first


def enlarged_in_float64(field: Reals, factor: float) -> Floats:
    """`enlarged` of float (H, W) in float64, by the same operations on every device."""
    (above, below, down), (left, right, across) = (between(n, factor) for n in field.shape)
    used = field[:, left[0] : right[-1] + 1].astype(np.float64)
    tall = used[above] * (1 - down[:, None]) + used[below] * down[:, None]
    found = np.empty((len(above), len(left)))
    for rows in strips(found):
        part = np.take(tall[rows], left - left[0], axis=1)
        part *= 1 - across
        other = np.take(tall[rows], right - left[0], axis=1)
        other *= across
        np.add(part, other, out=found[rows])
    return found


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
