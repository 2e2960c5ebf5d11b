"""Image files of datasets: photographs to 8-bit RGB, label files to the numbers in them.

Photographs come out as OpenCV and mmcv read them (docs/pixels.md): transparency is dropped, of 16
bits the upper 8 are taken. What has no such reading there (32 bits, Lab) is refused, never cut to
fit. Of a label file every number counts, so a coding that may change numbers is refused whatever
the file is called.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from segmodels.core.arrays import Pixels
from segmodels.core.memory import blame_memory
from segmodels.core.stand_ins import refuse_endless, stand_in
from segmodels.datasets.reading.packed import AnyPath, Member
from segmodels.datasets.reading.palette import reordered
from segmodels.errors import SegmodelsError, UnreadableError

AGAIN = "Download and prepare the dataset again; a file of your own, bring again or take out."

#: Modes in which Pillow opens photographs of 8 bits, and what becomes RGB as in OpenCV.
_EIGHT_BITS = frozenset(("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"))
_CONVERTED = frozenset(("CMYK", "YCbCr"))
_SIXTEEN_BITS = frozenset(("I;16", "I;16B", "I;16L", "I;16N"))
#: Formats whose 16-bit grey older versions of Pillow open as 32-bit numbers.
_WIDENED = frozenset(("PNG", "PPM", "JPEG2000"))

#: Formats that change numbers, and how they are called.
_LOSSY = {
    "JPEG": "JPEG",
    "MPO": "JPEG",
    "JPEG2000": "JPEG 2000",
    "WEBP": "WebP",
    "AVIF": "AVIF",
    "HEIF": "HEIF",
}
#: Compressions inside TIFF that change numbers.
_LOSSY_TIFF = frozenset(("jpeg", "tiff_jpeg", "webp"))

#: What EXIF asks a viewer to do, by the number it writes; 1 asks for nothing.
_TURNS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored and turned by 270 degrees",
    6: "turned by 90 degrees clockwise",
    7: "mirrored and turned by 90 degrees",
    8: "turned by 270 degrees clockwise",
}


def read_rgb(path: AnyPath) -> Pixels:
    """Decode a photograph to uint8 (H, W, 3) RGB.

    Raises:
        UnreadableError: the file is damaged.
        SegmodelsError: it is missing, or holds what is no photograph of 8 or 16 bits.
    """
    with _opened(path) as picture:
        _check_single(path, picture, "a photograph")
        if picture.mode in _EIGHT_BITS | _CONVERTED:
            found: Any = picture if picture.mode == "RGB" else picture.convert("RGB")
            return np.asarray(found)
        grey = np.asarray(picture) if _is_sixteen_bits(picture) else None
        mode, form = picture.mode, picture.format
    if grey is None:
        raise SegmodelsError(
            f"{path}: {form} of mode {mode!r} ({_named(mode)}) is no photograph of 8 or 16 bits. "
            f"Use the original, or convert it as the paper's code does."
        )
    eight = (grey.astype(np.int64) >> 8).astype(np.uint8)
    return np.repeat(eight[..., None], 3, axis=2)


def read_grey(path: AnyPath) -> Pixels:
    """Decode a single-channel label file to uint8 (H, W), palette indices kept as they are.

    Raises:
        UnreadableError: the file is damaged.
        SegmodelsError: it is missing, in a coding that changes numbers, of more than one channel
            or 8 bits, or its palette was renumbered.
    """
    with _opened(path) as picture:
        _check_lossless(path, picture)
        _check_single(path, picture, "a label file")
        pixels = np.asarray(picture)
        if pixels.dtype == np.bool_ and not pixels.any():
            pixels = pixels.astype(np.uint8)  # one bit is enough where all is 0, for optimisers
        palette = picture.getpalette() if picture.mode == "P" else None
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise SegmodelsError(
            f"{path}: a label file is 8-bit with one channel, "
            f"this one decodes to {pixels.dtype} {pixels.shape}. {_guess(pixels)}"
        )
    if palette is not None and (wrong := reordered(pixels, palette)):
        raise SegmodelsError(
            f"{path}: {wrong} An image optimiser renumbered it: the picture is the same, the "
            f"labels are not. Use the original file."
        )
    return pixels


def read_colours(path: AnyPath) -> Pixels:
    """Decode a label file whose colours are the labels to uint8 (H, W, 3), RGB.

    Raises:
        UnreadableError: the file is damaged.
        SegmodelsError: it is missing, in a coding that changes colours, or not of 8 bits.
    """
    with _opened(path) as picture:
        _check_lossless(path, picture)
        _check_single(path, picture, "a label file")
        if picture.mode not in _EIGHT_BITS:
            raise SegmodelsError(
                f"{path}: colours of labels have 8 bits; mode {picture.mode!r} has other values."
            )
        return np.asarray(picture.convert("RGB"))


def turn_of(path: AnyPath) -> str:
    """What EXIF asks a viewer to do with a photograph; empty for nothing. Only OpenCV does it.

    Raises:
        UnreadableError: the file is damaged.
    """
    with _opened(path) as picture:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1), "")


@contextmanager
def _opened(path: AnyPath) -> Iterator[Image.Image]:
    if isinstance(path, Path):
        refuse_endless(path)
    try:
        source = io.BytesIO(path.read_bytes()) if isinstance(path, Member) else path
        with Image.open(source) as picture:
            yield picture
    except SegmodelsError:
        raise
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: missing. {AGAIN}") from None
    except Exception as error:  # of damaged files Pillow raises a dozen kinds, TypeError among them
        blame_memory(error)
        instead = _instead(path) or f"({error})"
        raise UnreadableError(path, f"cannot be decoded {instead}", AGAIN) from None


def _instead(path: AnyPath) -> str | None:
    """What stands in the place of an image, in brackets; None where that is not clear."""
    if not isinstance(path, Path) or not path.stat().st_size:
        return None
    found = stand_in(path, "an image")
    return f"(it {found.rstrip('.')})" if found else None


def _is_sixteen_bits(picture: Image.Image) -> bool:
    widened = picture.mode == "I" and picture.format in _WIDENED
    return picture.mode in _SIXTEEN_BITS or widened


def _check_single(path: AnyPath, picture: Image.Image, what: str) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a camera's JPEG with a preview behind it
        raise SegmodelsError(f"{path}: {what} is one picture, this file holds {frames}.")


def _check_lossless(path: AnyPath, picture: Image.Image) -> None:
    lossy = _LOSSY.get(picture.format or "")
    if picture.format == "TIFF" and picture.info.get("compression") in _LOSSY_TIFF:
        lossy = f"TIFF with {picture.info['compression']} compression"
    if lossy:
        raise SegmodelsError(
            f"{path}: a {lossy} file, whatever its name says. It may change the numbers of "
            f"classes, along all borders first; use the original label file."
        )


def _named(mode: str) -> str:
    return {"I": "32-bit integers", "F": "32-bit floats", "LAB": "CIE Lab"}.get(
        mode, "other values"
    )


def _guess(pixels: Any) -> str:
    """What people put where labels belong."""
    if pixels.ndim == 3:
        return (
            "In colours it is a picture of the labels, or numbers packed into colours (panoptic, "
            "full ADE20K); use the file that holds the numbers of the classes."
        )
    if pixels.dtype == np.bool_:
        return "Two values are the mask of one class; use the file with all classes."
    return (
        "More than 8 bits are instance ids (Cityscapes instanceIds) or raw ids of a larger list; "
        "use the file that holds the numbers of the classes."
    )
