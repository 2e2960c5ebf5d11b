"""Digital corruptions on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from segmodels.robustness.corruptions.colour import saturations
from segmodels.robustness.corruptions.digital import nearest
from segmodels.robustness.corruptions.filters import gaussian_weights
from segmodels.robustness.on_device.base import filtered, looked_up, on, truncated


def contrast(image: torch.Tensor, factor: float, _: None) -> torch.Tensor:
    """Pull every channel towards its mean."""
    unit = image.double() / 255
    mean = image.double().mean((0, 1)) / 255
    return truncated(((unit - mean) * factor + mean).clamp(0, 1) * 255)


def saturate(image: torch.Tensor, level: tuple[float, float], _: None) -> torch.Tensor:
    """Scale and shift the saturation; grey pixels have the hue of red."""
    saturation, smallest = (table.reshape(256, 256) for table in saturations(*level))
    most, low = image.amax(2, keepdim=True), image.amin(2, keepdim=True)
    grey, least = most == low, looked_up(smallest, most, low)
    # All in whole numbers but for the share of the way from the largest channel to the smallest.
    share = (most - image).double() / torch.where(grey, 1, most - low)
    levels = most * (1 - share * looked_up(saturation, most, low))
    found = torch.where(image == low, least, truncated(levels + 1e-9))
    found = torch.where(image == most, most, found)
    red = torch.arange(3, device=image.device) == 0
    return torch.where(grey & ~red, least, found)


def pixelate(image: torch.Tensor, factor: float, _: None) -> torch.Tensor:
    """Reduce by averaging and enlarge by repeating."""
    small = _reduced(image, factor)
    for dim in (0, 1):
        places = on(image.device, nearest(image.shape[dim], small.shape[dim]))
        small = small.index_select(dim, places)
    return small


def pixelate_by_means(image: torch.Tensor, factor: float, _: None) -> torch.Tensor:
    """Reduce and enlarge by averaging."""
    found = _reduced(image, factor)
    for dim in (1, 0):
        found = _averaged(found, image.shape[dim], dim)
    return found


def _reduced(image: torch.Tensor, factor: float) -> torch.Tensor:
    small = image
    for dim in (1, 0):
        small = _averaged(small, max(1, int(image.shape[dim] * factor)), dim)
    return small


def _boxes(side: int, number: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First value, and first one no more, of the means that Pillow takes, by its arithmetic."""
    scale = side / number
    middles, reach = (np.arange(number) + 0.5) * scale, 0.5 * max(scale, 1.0)
    first = np.maximum((middles - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((middles + reach + 0.5).astype(np.int64), side)
    inverse = 1.0 / max(scale, 1.0)
    first += (first - middles + 0.5) * inverse <= -0.5
    last -= (last - 1 - middles + 0.5) * inverse > 0.5
    return first, last


def _averaged(image: torch.Tensor, number: int, dim: int) -> torch.Tensor:
    """Means of the values of a dimension that lie around each of `number` points, rounded."""
    first, last = (on(image.device, part) for part in _boxes(image.shape[dim], number))
    sums = torch.nn.functional.pad(image.movedim(dim, -1).int().cumsum(-1), (1, 0))
    total, count = sums[..., last] - sums[..., first], last - first
    means: torch.Tensor = (2 * total + count) // (2 * count)  # halves are rounded up
    return means.to(torch.uint8).movedim(-1, dim)


def elastic_transform(image: torch.Tensor, strength: float, shifts: Any) -> torch.Tensor:
    """Every pixel from somewhere near."""
    height, width = image.shape[:2]
    columns = torch.arange(width, device=image.device)
    rows = torch.arange(height, device=image.device)[:, None]
    right, down = (_smooth(field.float()) * (250 * strength) for field in shifts)
    # From -1 at the outer edge of the first pixel to 1 at that of the last.
    places = ((2 * (right + columns) + 1) / width - 1, (2 * (down + rows) + 1) / height - 1)
    found = torch.nn.functional.grid_sample(
        image.float().permute(2, 0, 1)[None],
        torch.stack(places, 2)[None],
        padding_mode="reflection",
        align_corners=False,
    )
    return truncated(found[0].permute(1, 2, 0) + 1e-3)


def _smooth(field: torch.Tensor) -> torch.Tensor:
    for dim in (0, 1):
        field = filtered(field, gaussian_weights(field.shape[dim] * 0.01, 3), dim, "reflect")
    return field
