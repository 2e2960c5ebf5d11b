"""Image corruptions by name. To add one: a function and a line in a file of `FAMILIES`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from segmodels.core.arguments import path_to, rgb, whole, words, wrong
from segmodels.core.arrays import Pixels
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.robustness.corruptions import digital
from segmodels.robustness.corruptions.base import Corruption
from segmodels.robustness.corruptions.frost import frost_of

#: Files of this folder, in the order of pages and pictures; each has a dictionary `CORRUPTIONS`.
FAMILIES = (
    "noise",
    "blur",
    "weather",
    "digital",
)

#: Names of the corruptions of each family.
BY_FAMILY: dict[str, tuple[str, ...]] = {
    family: tuple(import_module(f"{__name__}.{family}").CORRUPTIONS) for family in FAMILIES
}

#: The 15 corruptions of ImageNet-C and its 4 more.
CORRUPTIONS: dict[str, Corruption] = {
    name: corruption
    for family in FAMILIES
    for name, corruption in import_module(f"{__name__}.{family}").CORRUPTIONS.items()
}

#: Whose definition: of the package imagecorruptions, which Cityscapes-C was made with, or of the
#: generator of ImageNet-C; and stored as ImageNet-C is, which corrupts once more.
Variant = Literal[
    "imagecorruptions",
    "hendrycks",
    "imagecorruptions_then_jpeg85",
    "hendrycks_then_jpeg85",
]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
DEFAULT: Variant = "imagecorruptions"

_STORED = "_then_jpeg85"


def corrupt(
    image: Pixels,
    name: str,
    severity: int,
    seed: int = 0,
    key: str = "",
    *,
    variant: str = DEFAULT,
    textures: str | Path | None = None,
) -> Pixels:
    """Corrupt one image.

    Args:
        image: uint8 (H, W, 3), RGB, or an RGB image of Pillow; not changed.
        name: a key of `CORRUPTIONS`.
        severity: 1 (mild) to 5.
        seed: of the random corruptions.
        key: usually the image's name; images with different keys get different noise.
        variant: one of `VARIANTS`, for corruptions that published generators define differently.
        textures: of frost, a folder with the authors' photographs instead of drawn textures.

    Returns:
        uint8 (H, W, 3), the same for the same arguments; an array of its own, to be written to.

    Raises:
        UnknownNameError: no such corruption or variant; the message suggests the nearest.
        SegmodelsError: severity outside 1..5, not a uint8 RGB image, or another wrong argument.
    """
    image, name, key = rgb("image", image), words("name", name), words("key", key)
    found = corruption_of(name, variant, textures)
    severity, seed = whole("severity", severity, 1, 5), whole("seed", seed, 0)
    level = found.levels[severity - 1]
    drawn = found.draw and found.draw(image, level, generator(name, severity, seed, key))
    return _stored(found.apply(image, level, drawn), variant)


def replay(image: Pixels, name: str, severity: int, drawn: Any, variant: str = DEFAULT) -> Pixels:
    """Corrupt one image with given draws.

    Args:
        image: uint8 (H, W, 3), RGB, or an RGB image of Pillow; not changed.
        name: a key of `CORRUPTIONS`.
        severity: 1 (mild) to 5.
        drawn: in the form that the `draw` of `corruption_of(name, variant)` makes them for an image
            of this size; None where nothing is left to chance.
        variant: one of `VARIANTS`.

    Returns:
        uint8 (H, W, 3), an array of its own, to be written to.

    Raises:
        UnknownNameError: no such corruption or variant; the message suggests the nearest.
        SegmodelsError: severity outside 1..5, not a uint8 RGB image, no draws where there should be
            some, or some where there are none.
    """
    image, found = rgb("image", image), corruption_of(words("name", name), variant)
    severity = whole("severity", severity, 1, 5)
    if found.draw is None and drawn is not None:
        raise wrong("drawn", f"None, as {name} leaves nothing to chance", drawn)
    if found.draw is not None and drawn is None:
        made = f"as `corruption_of({name!r}, {variant!r}).draw` makes them"
        raise wrong("drawn", f"the draws of {name}, {made}", drawn)
    return _stored(found.apply(image, found.levels[severity - 1], drawn), variant)


def generator(name: str, severity: int, seed: int, key: str) -> np.random.Generator:
    """The random numbers of one image under one condition, and of nothing else."""
    texts = [zlib.crc32(text.encode("utf-8", "surrogatepass")) for text in (name, key)]
    return np.random.Generator(np.random.PCG64([seed, severity, *texts]))


def is_current(condition: Mapping[str, Any]) -> bool:
    """Whether a condition is of a corruption, and its pixels did not change since."""
    known, severity = CORRUPTIONS.get(condition.get("corruption", "")), condition.get("severity", 0)
    if known is None or not 1 <= severity <= len(known.levels):
        return False
    return bool(condition.get("version", 1) == known.version_of(severity))


def corruption_of(name: str, variant: str, textures: str | Path | None = None) -> Corruption:
    """A corruption as one of the published generators defines it.

    Raises:
        UnknownNameError: no such corruption or variant; the message suggests the nearest.
        SegmodelsError: photographs are of frost alone, or the folder lacks them.
    """
    if name not in CORRUPTIONS:
        raise UnknownNameError("corruption", name, CORRUPTIONS)
    if words("variant", variant) not in VARIANTS:
        raise UnknownNameError("variant of corruptions", variant, VARIANTS)
    found = (
        CORRUPTIONS[name] if textures is None else _textured(name, path_to("textures", textures))
    )
    return found.variants.get(variant.removesuffix(_STORED), found)


def is_random(name: str, variant: str) -> bool:
    """Whether a corruption of a variant draws anything; if not, its seed decides nothing."""
    return corruption_of(name, variant).draw is not None


def is_stored(variant: str) -> bool:
    """Whether images of a variant are stored as JPEG once they are corrupted."""
    return variant.endswith(_STORED)


def _textured(name: str, folder: Path) -> Corruption:
    if name != "frost":
        raise SegmodelsError(f"argument 'textures' is of frost, and {name} has none.")
    return frost_of(folder)


def _stored(image: Pixels, variant: str) -> Pixels:
    if not is_stored(variant):
        return image
    return digital.as_jpeg(image, quality=85, optimize=True)
