"""Image files of every coding, damaged in every way: pixels of the right kind, or one sentence."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segmodels.datasets.reading.pictures import read_grey, read_rgb, turn_of
from segmodels.errors import SegmodelsError

pytestmark = pytest.mark.fuzz

FORMATS = [
    "PNG",
    "JPEG",
    "TIFF",
    "BMP",
    "GIF",
    "PPM",
    "WEBP",
    "JPEG2000",
    "TGA",
    "SGI",
    "PCX",
]
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"]
#: Of all formats together.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1200"))


def picture(mode: str, height: int, width: int, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray(random.integers(0, 65536, (height, width)).astype(kind))
    if mode == "LAB":
        return Image.new("LAB", (width, height), (50, 10, 10))
    colours = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(colours).convert(mode)


def encoded(mode: str, form: str, height: int, width: int, seed: int) -> bytes:
    stream = io.BytesIO()
    try:
        picture(mode, height, width, seed).save(stream, form)
    except (OSError, KeyError, ValueError):  # a mode that the format lacks
        return b""
    return stream.getvalue()


def damaged(content: bytes, kind: str, at: int, value: int) -> bytes:
    place = at % max(len(content), 1)
    if kind == "cut":
        return content[:place]
    if kind == "flip" and content:
        return content[:place] + bytes([content[place] ^ (value or 1)]) + content[place + 1 :]
    if kind == "insert":
        return content[:place] + bytes([value]) * 3 + content[place:]
    if kind == "zeros":
        return content[:place] + bytes(len(content) - place)
    return content + b"more"


def outcome(read: Callable[[Path], Any], path: Path) -> Any:
    """What reading gives, or the sentence that refuses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's about metadata
        try:
            return read(path)
        except SegmodelsError as error:
            return str(error)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_read_or_refused_in_one_sentence(form: str, tmp_path: Path) -> None:
    path = tmp_path / "image"

    @settings(max_examples=EXAMPLES // len(FORMATS))
    @given(
        mode=st.sampled_from(MODES),
        size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
        seed=st.integers(0, 9),
        kind=st.sampled_from(["whole", "cut", "flip", "insert", "zeros"]),
        at=st.integers(0, 5000),
        value=st.integers(0, 255),
    )
    def check(mode: str, size: tuple[int, int], seed: int, kind: str, at: int, value: int) -> None:
        path.write_bytes(damaged(encoded(mode, form, *size, seed), kind, at, value))
        for read, dimensions in ((read_rgb, 3), (read_grey, 2)):
            found = outcome(read, path)
            if isinstance(found, str):
                assert str(path) in found
                assert "\n" not in found
            else:
                assert (found.dtype, found.ndim) == (np.uint8, dimensions)
                assert kind != "whole" or found.shape[:2] == size
        assert isinstance(outcome(turn_of, path), str)

    check()
