"""Weather on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from segmodels.robustness.corruptions.colour import brighter
from segmodels.robustness.corruptions.fog import FIRST
from segmodels.robustness.corruptions.frost import mixture
from segmodels.robustness.corruptions.resampling import between
from segmodels.robustness.corruptions.snow import Snow
from segmodels.robustness.on_device.base import looked_up, on, truncated
from segmodels.robustness.on_device.blur import motion, motion_by_imagemagick


def snow(image: torch.Tensor, level: Snow, flakes: Any) -> torch.Tensor:
    """Flakes and the same flakes turned by 180 degrees, on an image made paler."""
    height, width = image.shape[:2]
    large = _enlarged(flakes.layer.double(), level.zoom)
    large = torch.where(large < level.least, 0, large.clamp(0, 1)).float()
    blurred = motion(large, (level.radius, level.sigma), flakes.angle)
    return _covered(image, level, (blurred * 255).round()[:height, :width])


def snow_by_imagemagick(image: torch.Tensor, level: Snow, flakes: Any) -> torch.Tensor:
    """The same with flakes of 8 bits, of the middle of what was enlarged, blurred otherwise."""
    height, width = image.shape[:2]
    large = _enlarged(flakes.layer.double(), level.zoom)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    middle = large[top:, left:][:height, :width]
    alone = truncated(torch.where(middle < level.least, 0, middle.clamp(0, 1)) * 255)
    blurred = motion_by_imagemagick(alone, (level.radius, level.sigma), flakes.angle)
    return _covered(image, level, blurred.float())


def _covered(image: torch.Tensor, level: Snow, layer: torch.Tensor) -> torch.Tensor:
    """An image under a layer of flakes of its size."""
    levels = image.float()
    grey = 0.299 * levels[..., 0] + 0.587 * levels[..., 1] + 0.114 * levels[..., 2]
    pale = torch.maximum(levels, (grey * 1.5 + 127.5)[..., None])
    fallen = layer + layer.flip(0, 1)
    return truncated(level.kept * levels + (1 - level.kept) * pale + fallen[..., None])


def _enlarged(field: torch.Tensor, factor: float) -> torch.Tensor:
    """As `corruptions.resampling.enlarged_in_float64`, operation by operation."""
    for side in field.shape:
        first, second, share = (on(field.device, part) for part in between(side, factor))
        share = share[:, None]
        field = (field[first] * (1 - share) + field[second] * share).T
    return field


def frost(image: torch.Tensor, level: tuple[float, float], texture: torch.Tensor) -> torch.Tensor:
    """A weighted sum with a texture."""
    return looked_up(mixture(*level), image, texture)


def fog(
    image: torch.Tensor, level: tuple[float, float], fields: Sequence[Sequence[torch.Tensor]]
) -> torch.Tensor:
    """The map on top, and everything scaled back to the largest value there was."""
    strength, decay = level
    corners, wide = torch.zeros(1, 1, device=image.device), FIRST
    for squares, in_rows, in_columns in fields:
        corners = _finer(corners, [one.float() * wide for one in (squares, in_rows, in_columns)])
        wide /= decay
    corners = corners - corners.min()
    most = corners.max()
    density = torch.where(most > 0, corners / most, corners)[: image.shape[0], : image.shape[1]]
    largest = image.max().float()
    levels = image + 255 * strength * density[..., None]
    return truncated(levels * (largest / (largest + 255 * strength)))


def _finer(corners: torch.Tensor, noise: list[torch.Tensor]) -> torch.Tensor:
    """The map with twice as many points a side."""
    side = len(corners)
    finer = corners.new_empty(side, 2, side, 2)
    across, down = corners + corners.roll(-1, 1), corners + corners.roll(-1, 0)
    middles = (across + across.roll(-1, 0)) / 4 + noise[0]
    finer[:, 0, :, 0], finer[:, 1, :, 1] = corners, middles
    finer[:, 0, :, 1] = (across + middles + middles.roll(1, 0)) / 4 + noise[1]
    finer[:, 1, :, 0] = (down + middles + middles.roll(1, 1)) / 4 + noise[2]
    return finer.view(2 * side, 2 * side)


def brightness(image: torch.Tensor, shift: float, _: None) -> torch.Tensor:
    """Raise the value of HSV."""
    largest = image.amax(2, keepdim=True).expand_as(image)
    return looked_up(brighter(shift), largest, image)
