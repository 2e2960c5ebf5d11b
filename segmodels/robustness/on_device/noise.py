"""Noise on a device."""

from __future__ import annotations

from typing import Any

import torch

from segmodels.robustness.on_device.base import truncated


def add_noise(image: torch.Tensor, std: float, noise: torch.Tensor) -> torch.Tensor:
    """Noise on top, given on [0, 1]."""
    return truncated(image + (noise * 255).floor())


def multiply_noise(image: torch.Tensor, std: float, noise: torch.Tensor) -> torch.Tensor:
    """Noise in proportion to the grey level."""
    return truncated(noise * image + image)


def count_photons(image: torch.Tensor, rate: int, counts: torch.Tensor) -> torch.Tensor:
    """Numbers of photons as grey levels."""
    return truncated((counts.double() / rate).clamp(0, 1) * 255)


def hit_values(image: torch.Tensor, amount: float, impulses: Any) -> torch.Tensor:
    """Salt and pepper in place of the values hit."""
    ends = impulses.salt.to(torch.uint8) * 255
    return torch.where(impulses.hit, ends, image)
