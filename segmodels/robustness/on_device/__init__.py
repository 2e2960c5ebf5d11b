"""Corruptions of images that are on a device already, from the same draws as on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from segmodels.core.arguments import whole, words, wrong
from segmodels.robustness import corruptions
from segmodels.robustness.corruptions import CORRUPTIONS, DEFAULT
from segmodels.robustness.corruptions import blur as processor_blur
from segmodels.robustness.corruptions import digital as processor_digital
from segmodels.robustness.corruptions import noise as noise_tables
from segmodels.robustness.corruptions import snow as processor_snow
from segmodels.robustness.corruptions.base import Apply as OnProcessor
from segmodels.robustness.corruptions.base import Corruption
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

#: The same by the functions of the processor that they stand for, those of variants included. The
#: affine map of a variant of elastic_transform is OpenCV's, which before its version 5 knew places
#: to 1/32 of a pixel only: another image in other versions.
_STANDS_FOR: dict[OnProcessor, Apply] = {
    **{CORRUPTIONS[name].apply: apply for name, apply in APPLIED.items()},
    processor_blur.zoom_blur_centred: blur.zoom_blur_centred,
    processor_blur.motion_blur_by_imagemagick: blur.motion_blur_by_imagemagick,
    processor_snow.snow_by_imagemagick: weather.snow_by_imagemagick,
    processor_digital.pixelate_by_means: digital.pixelate_by_means,
}


def corrupt_tensor(
    image: torch.Tensor,
    name: str,
    severity: int,
    seed: int = 0,
    key: str = "",
    *,
    variant: str = DEFAULT,
    textures: str | Path | None = None,
) -> torch.Tensor:
    """`segmodels.corrupt` where the image is; every value within one grey level of it.

    Args:
        image: uint8 (H, W, 3), RGB, on any device; not changed.
        name: of a corruption.
        severity: 1 (mild) to 5.
        seed: of the random corruptions; random numbers are drawn by the processor and copied.
        key: usually the image's name.
        variant: as for `segmodels.corrupt`; what is stored as JPEG comes from the processor.
        textures: of frost, a folder with the authors' photographs instead of drawn textures.

    Returns:
        uint8 (H, W, 3) on the image's device.

    Raises:
        UnknownNameError: no such corruption or variant; the message suggests the nearest.
        SegmodelsError: severity outside 1..5, not a uint8 RGB image, or another wrong argument.
    """
    image, name, key = _rgb(image), words("name", name), words("key", key)
    kind = corruptions.corruption_of(name, variant, textures)
    # One grey level before an image is stored as JPEG can be several behind it.
    apply = None if corruptions.is_stored(variant) else _STANDS_FOR.get(kind.apply)
    if apply is None:
        pixels, what = image.cpu().numpy(), (name, severity, seed, key)
        found = corruptions.corrupt(pixels, *what, variant=variant, textures=textures)
        return torch.from_numpy(found).to(image.device)
    severity, seed = whole("severity", severity, 1, 5), whole("seed", seed, 0)
    level = kind.levels[severity - 1]
    drawn = _drawn(image, name, kind, level, corruptions.generator(name, severity, seed, key))
    return apply(image, level, drawn)


def _rgb(image: torch.Tensor) -> torch.Tensor:
    right = isinstance(image, torch.Tensor) and image.dtype == torch.uint8 and image.ndim == 3
    if not right or image.shape[2] != 3 or not image.numel():
        raise wrong("image", "a tensor, uint8 (H, W, 3), RGB", image)
    return image


def _drawn(
    image: torch.Tensor, name: str, kind: Corruption, level: Any, random: np.random.Generator
) -> Any:
    """What is left to chance, on the image's device."""
    if name == "shot_noise":
        return _photons(image, level, random)
    # Of the image, draws need the shape alone.
    shape = np.broadcast_to(np.uint8(0), tuple(image.shape))
    return on(image.device, kind.draw and kind.draw(shape, level, random))


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
