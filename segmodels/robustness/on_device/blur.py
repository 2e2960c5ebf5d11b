"""Blur on a device."""

from __future__ import annotations

import numpy as np
import torch

from segmodels.robustness.corruptions.base import Reals
from segmodels.robustness.corruptions.blur import Motion, disk_of
from segmodels.robustness.corruptions.filters import (
    HALF_A_STEP,
    gaussian_weights,
    motion_shifts,
    signs_of,
)
from segmodels.robustness.corruptions.glass import Glass
from segmodels.robustness.on_device.base import enlarged, filtered, on, padded, truncated

#: Copies of glass blur form chains; one of more than 2**7 links has not been drawn since the world
#: began: the next link is there with a chance of less than one half.
_DOUBLINGS = 7


def gaussian(levels: torch.Tensor, sigma: float, edge: str = "nearest") -> torch.Tensor:
    """Normal filter of float32 (H, W) or (H, W, C), cut off at four sigma."""
    weights = gaussian_weights(sigma)
    return filtered(filtered(levels, weights, 1, edge), weights, 0, edge)


def gaussian_blur(image: torch.Tensor, sigma: float, _: None) -> torch.Tensor:
    """Gaussian filter, edges repeated."""
    return truncated(gaussian(image.float(), sigma))


def defocus_blur(image: torch.Tensor, level: tuple[int, float], _: None) -> torch.Tensor:
    """Mean over a disk, edges mirrored."""
    disk = disk_of(*level)
    reach, (height, width) = len(disk) // 2, image.shape[:2]
    wide = padded(padded(image.float(), reach, 0, "mirror"), reach, 1, "mirror")
    total = torch.zeros(image.shape, device=image.device)
    for row, column in np.argwhere(disk):
        part = wide[row : row + height, column : column + width]
        total.add_(part, alpha=float(disk[row, column]))
    return truncated(total)


def motion(
    levels: torch.Tensor, level: tuple[int, float], angle: float, *, lossy: bool = True
) -> torch.Tensor:
    """Copies along a direction, edges repeated: float (H, W) or (H, W, C)."""
    radius, sigma = level
    height, width = levels.shape[:2]
    reach = 2 * radius
    wide = padded(padded(levels, reach, 0, "nearest"), reach, 1, "nearest")
    total = torch.zeros_like(levels)
    shape = (height, width) if lossy else None
    for down, right, weight in motion_shifts(shape, radius, sigma, angle):
        part = wide[reach + down :, reach + right :][:height, :width]
        total.add_(part, alpha=weight)
    return total


def motion_blur(image: torch.Tensor, level: Motion, angle: float) -> torch.Tensor:
    """Half a normal curve along a direction."""
    blurred = motion(image.double(), (level.radius, level.sigma), angle)
    return truncated_as(blurred, level.loses, 1e-9)


def motion_blur_by_imagemagick(image: torch.Tensor, level: Motion, angle: float) -> torch.Tensor:
    """The same as ImageMagick gives it."""
    return motion_by_imagemagick(image, (level.radius, level.sigma), angle)


def motion_by_imagemagick(
    pixels: torch.Tensor, level: tuple[int, float], angle: float
) -> torch.Tensor:
    """As `corruptions.filters.motion_by_imagemagick`."""
    return truncated(motion(pixels.double(), level, angle, lossy=False) + HALF_A_STEP)


def truncated_as(levels: torch.Tensor, loses: int, least: float) -> torch.Tensor:
    """As `corruptions.filters.truncated_as`."""
    signs = on(levels.device, signs_of(loses)[0])
    return truncated(levels + signs[levels.round().long()] * least)


def glass_blur(image: torch.Tensor, level: Glass, shifts: torch.Tensor) -> torch.Tensor:
    """Neighbours copied over each other, one after the other, between two filters."""
    pixels = truncated_as(gaussian(image.double(), level.sigma), level.loses, 1e-9)
    for once in shifts:
        pixels = _copied(pixels, level.reach, once)
    return truncated_as(gaussian(pixels.double(), level.sigma), level.loses, 1e-9)


def _copied(pixels: torch.Tensor, reach: int, shifts: torch.Tensor) -> torch.Tensor:
    """One pass: every place takes what is at the end of its chain of places."""
    height, width = pixels.shape[:2]
    places = torch.arange(height * width, device=pixels.device)
    sources = places.clone()
    inside = sources.view(height, width)[
        reach + 1 : height - reach + 1, reach + 1 : width - reach + 1
    ]
    if inside.numel():
        inside += shifts[..., 1].long() * width + shifts[..., 0].long()
    links = torch.where(sources > places, sources, places)
    for _ in range(_DOUBLINGS):
        links = links[links]
    return pixels.view(-1, 3)[sources[links]].view(pixels.shape)


def zoom_blur(image: torch.Tensor, factors: Reals, _: None) -> torch.Tensor:
    """Mean of the image and its enlargements, which lose pixels at the right and at the bottom."""
    return _zoomed(image, factors, centred=False)


def zoom_blur_centred(image: torch.Tensor, factors: Reals, _: None) -> torch.Tensor:
    """The same, but what is too large loses pixels on all sides."""
    return _zoomed(image, factors, centred=True)


def _zoomed(image: torch.Tensor, factors: Reals, *, centred: bool) -> torch.Tensor:
    levels, (height, width) = image.float(), image.shape[:2]
    total = levels.clone()
    for factor in factors:
        large = enlarged(levels, float(factor))
        top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
        total += (large[top:, left:] if centred else large)[:height, :width]
    return truncated(total / (len(factors) + 1))
