"""Frost: a part of a photograph of frozen glass, mixed into the image.

The five photographs that the authors draw from are not free to be passed on. Here they are textures
drawn to the same statistics (`frost_textures`); who has the photographs names their folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.core.files import digest, sha256_of_file
from segmodels.core.memory import blame_memory
from segmodels.errors import SegmodelsError
from segmodels.robustness.corruptions import draws
from segmodels.robustness.corruptions.base import Corruption, Draw, looked_up
from segmodels.robustness.corruptions.frost_textures import drawn_textures

#: The photographs by the names their authors gave them; a sixth there is never drawn.
FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")

#: The photographs of a folder, each with its date and size, so that new ones are read again.
Stamps = tuple[tuple[Path, int, int], ...]

#: How much the texture is enlarged beyond what covers the image.
_MARGIN = 1.1

#: Weights of the image and of the texture; together they are more than 1.
_LEVELS = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))


@lru_cache(maxsize=5)
def mixture(image: float, texture: float) -> Pixels:
    """Grey level by those of the image and of the texture: uint8 (256, 256)."""
    levels = np.arange(256, dtype=np.float64)
    return np.clip(image * levels[:, None] + texture * levels, 0, 255).astype(np.uint8)


def frost(image: Pixels, level: tuple[float, float], texture: Pixels) -> Pixels:
    """A weighted sum with a texture of the image's size, uint8 (H, W, 3), RGB."""
    return looked_up(mixture(*level), image, texture)


def _cut(textures: Callable[[], Sequence[Pixels]], margin: float) -> Draw:
    """Draws of one texture and a place in it, after it was enlarged to cover the image."""

    def draw(image: Pixels, level: tuple[float, float], random: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        found = textures()
        texture = _covering(found[draws.below(random, len(found))], height, width, margin)
        top = draws.below(random, texture.shape[0] - height)
        left = draws.below(random, texture.shape[1] - width)
        return np.ascontiguousarray(texture[top : top + height, left : left + width])

    return draw


def _covering(texture: Pixels, height: int, width: int, margin: float) -> Pixels:
    import cv2  # here, because judging asks which corruptions there are and needs no OpenCV

    own = texture.shape[:2]
    factor = margin * max(1.0, height / own[0], width / own[1])
    if factor == 1:
        return texture
    size = (math.ceil(own[1] * factor), math.ceil(own[0] * factor))
    return np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC))


def lacking(folder: Path) -> str:
    """What a folder of the photographs lacks, as words; empty where it holds all of them."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        return (
            f"{folder}: expected {', '.join(FILES)}, found no "
            f"{missing[0] if folder.is_dir() else 'such folder'}. They come with the packages "
            "imagecorruptions and ImageNet-C."
        )
    try:
        _decoded(_stamps(folder))
    except SegmodelsError as error:
        return str(error)
    return ""


def digest_of(folder: Path) -> str:
    """First 16 hex digits of a digest of the photographs in a folder, wherever that lies.

    Raises:
        SegmodelsError: one is missing, or no image.
    """
    if told := lacking(folder):
        raise SegmodelsError(f"textures of frost: {told}")
    return _digest(_stamps(folder))


def _stamps(folder: Path) -> Stamps:
    stats = [(folder / name, (folder / name).stat()) for name in FILES]
    return tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats)


@lru_cache(maxsize=1)
def _digest(photographs: Stamps) -> str:
    return digest([sha256_of_file(path) for path, *_ in photographs])[:16]


@lru_cache(maxsize=1)
def _decoded(photographs: Stamps) -> tuple[Pixels, ...]:
    return tuple(_pixels(path) for path, *_ in photographs)


def _pixels(path: Path) -> Pixels:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except Exception as error:  # of damaged files Pillow raises a dozen kinds
        blame_memory(error)
        why = getattr(error, "strerror", None) or "no image, or a damaged one"
        raise SegmodelsError(
            f"{path}: cannot be decoded ({why}). Bring this photograph again; it comes with the "
            "packages imagecorruptions and ImageNet-C."
        ) from None


def _photographs(folder: Path) -> tuple[Pixels, ...]:
    if told := lacking(folder):
        raise SegmodelsError(f"argument 'textures': {told}")
    return _decoded(_stamps(folder))


def frost_of(folder: Path) -> Corruption:
    """Frost of the photographs in a folder.

    Raises:
        SegmodelsError: one is missing, or no image, when an image is frosted.
    """
    return _of(lambda: _photographs(folder))


def _of(textures: Callable[[], Sequence[Pixels]]) -> Corruption:
    # The first generator cuts from the photographs as they are; images there are small.
    plain = Corruption(_LEVELS, frost, _cut(textures, 1.0))
    return Corruption(_LEVELS, frost, _cut(textures, _MARGIN), variants={"hendrycks": plain})


FROST = _of(drawn_textures)
