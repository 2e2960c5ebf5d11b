"""Filters and enlargements that several corruptions are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from segmodels.robustness.corruptions.base import Reals


def gaussian_weights(sigma: float, truncate: float = 4.0) -> Reals:
    """Weights of a normal filter in float64, cut off at `truncate` sigma: (2 radius + 1,)."""
    radius = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def gaussian(values: Reals, sigma: float) -> Reals:
    """Normal filter of float32 (H, W) or (H, W, C), cut off at four sigma, edges repeated."""
    import cv2

    weights = gaussian_weights(sigma).astype(np.float32)
    return np.asarray(
        cv2.sepFilter2D(values, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REPLICATE)
    )


def motion_weights(radius: int, sigma: float) -> Reals:
    """Half a normal curve, from the pixel itself on: (2 radius + 1,), float64."""
    taps = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    return np.asarray(taps / taps.sum())


def motion_shifts(
    shape: tuple[int, int], radius: int, sigma: float, angle: float
) -> Iterator[tuple[int, int, float]]:
    """Rows, columns and weight of each copy that a motion blur adds up.

    Whole pixels, halves rounded down. Copies that would leave the image are lost with their
    weight, as by the authors.

    Args:
        shape: height and width of the image.
        radius: half the number of copies.
        sigma: of the weights, in pixels along the direction.
        angle: of the direction in degrees; 0 takes from the right, 90 from below.
    """
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for i, weight in enumerate(motion_weights(radius, sigma)):
        down, right = math.ceil(i * sine - 0.5), math.ceil(i * cosine - 0.5)
        if abs(down) >= shape[0] or abs(right) >= shape[1]:
            return
        yield down, right, float(weight)


def motion(values: Reals, radius: int, sigma: float, angle: float) -> Reals:
    """Motion blur of float32 (H, W) or (H, W, C), edges repeated; see `motion_shifts`."""
    import cv2

    height, width = values.shape[:2]
    shifts = list(motion_shifts((height, width), radius, sigma, angle))
    downs, rights = [down for down, _, _ in shifts], [right for _, right, _ in shifts]
    top, left = -min(0, *downs, 0), -min(0, *rights, 0)
    padded = cv2.copyMakeBorder(
        values, top, max(0, *downs, 0), left, max(0, *rights, 0), cv2.BORDER_REPLICATE
    )
    found = np.empty_like(values)
    rows = max(1, (1 << 17) // (values.size // height))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        total = np.zeros_like(found[first:last])
        for down, right, weight in shifts:
            part = padded[top + first + down : top + last + down, left + right :][:, :width]
            total = cv2.scaleAdd(part, weight, total, dst=total)
        found[first:last] = total.reshape(found[first:last].shape)
    return found


def enlarged(values: Reals, factor: float) -> Reals:
    """The middle of an image, enlarged bilinearly: first to last pixel become first to last.

    Args:
        values: float32 (H, W, C).
        factor: 1 or more; the middle is ceil(H / factor) by ceil(W / factor).

    Returns:
        float32 (h, w, C), which is H by W or up to `factor` pixels larger.
    """
    import torch
    from torch.nn.functional import interpolate

    sides = [math.ceil(side / factor) for side in values.shape[:2]]
    top, left = ((side - part) // 2 for side, part in zip(values.shape, sides, strict=False))
    middle = values[top : top + sides[0], left : left + sides[1]]
    size = [round(side * factor) for side in sides]
    batch = torch.from_numpy(middle).permute(2, 0, 1)[None]
    large = interpolate(batch, size=size, mode="bilinear", align_corners=True)
    return np.asarray(large[0].permute(1, 2, 0).numpy())
