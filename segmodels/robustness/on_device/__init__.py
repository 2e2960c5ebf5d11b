"""Corruptions of images that are on a device already, from the same draws as on the processor."""

from __future__ import annotations

import numpy as np
import torch

from segmodels.core.arguments import whole, words, wrong
from segmodels.robustness import corruptions
from segmodels.robustness.corruptions import noise as noise_tables
from segmodels.robustness.corruptions.draws import bits
from segmodels.robustness.on_device import blur, digital, noise, weather
from segmodels.robustness.on_device.base import Apply, on

#: What is computed on the device. Of the others (JPEG; spatter, of OpenCV's edges and distances)
#: the image goes to the processor and comes back.
APPLIED: dict[str, Apply] = {
    "gaussian_noise": noise.add_noise,
    "shot_noise": noise.count_photons,
    "impulse_noise": noise.hit_values,
    "speckle_noise": noise.multiply_noise,
    "gaussian_blur": blur.gaussian_blur,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "saturate": digital.saturate,
}


def corrupt_tensor(
    image: torch.Tensor, name: str, severity: int, seed: int = 0, key: str = ""
) -> torch.Tensor:
    """`segmodels.corrupt` where the image is; every value within one grey level of it.

    Args:
        image: uint8 (H, W, 3), RGB, on any device; not changed.
        name: of a corruption.
        severity: 1 (mild) to 5.
        seed: of the random corruptions; random numbers are drawn by the processor and copied.
        key: usually the image's name.

    Returns:
        uint8 (H, W, 3) on the image's device.

    Raises:
        UnknownNameError: no such corruption; the message suggests the nearest.
        SegmodelsError: severity outside 1..5, not a uint8 RGB image, or another wrong argument.
    """
    right = isinstance(image, torch.Tensor) and image.dtype == torch.uint8 and image.ndim == 3
    if not right or image.shape[2] != 3 or not image.numel():
        raise wrong("image", "a tensor, uint8 (H, W, 3), RGB", image)
    kind = corruptions.corruption_of(words("name", name), corruptions.DEFAULT)
    severity, seed = whole("severity", severity, 1, 5), whole("seed", seed, 0)
    if name not in APPLIED:
        found = corruptions.corrupt(image.cpu().numpy(), name, severity, seed, key)
        return torch.from_numpy(found).to(image.device)
    random = corruptions.generator(name, severity, seed, words("key", key))
    level = kind.levels[severity - 1]
    if name == "shot_noise":
        drawn = _photons(image, level, random)
    else:
        # Of the image, draws need the shape alone.
        shape = np.broadcast_to(np.uint8(0), tuple(image.shape))
        drawn = on(image.device, kind.draw and kind.draw(shape, level, random))
    return APPLIED[name](image, level, drawn)


def _photons(image: torch.Tensor, rate: int, random: np.random.Generator) -> torch.Tensor:
    """Numbers of photons, by the tables of the processor."""
    coarse, fine = (
        on(image.device, table.astype(np.int32)) for table in noise_tables.poisson_tables(rate)
    )
    chance = on(image.device, bits(random, tuple(image.shape)).astype(np.int32))
    lower, code = chance & 255, coarse[(image.int() << 8) | (chance >> 8)]
    number = (code >> 8) + (lower > (code & 255))
    dense = fine[torch.where(code >= 0x8000, code & 0x7FFF, 0), lower]
    return torch.where(code >= 0x8000, dense, number)
