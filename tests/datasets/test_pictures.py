"""Photographs come out as OpenCV reads them; label files as they were written, or not at all."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import small_project
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segmodels import cli, steps
from segmodels.core.files import read_json
from segmodels.core.yaml_entries import read_yaml
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.pictures import read_grey, read_rgb, turn_of
from segmodels.errors import SegmodelsError, UnreadableError

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (16, 24, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (16, 24), dtype=np.uint16)
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"]
FORMATS = ["PNG", "TIFF", "JPEG", "BMP", "PPM", "WEBP", "JPEG2000"]


def encoded(picture: Image.Image, form: str, **options: object) -> bytes | None:
    """The file in a format; None where Pillow does not write the mode in it."""
    stream = io.BytesIO()
    try:
        picture.save(stream, form, **options)
    except (OSError, KeyError, ValueError):
        return None
    return stream.getvalue()


def written(picture: Image.Image, form: str, path: Path, **options: object) -> Path:
    content = encoded(picture, form, **options)
    assert content is not None
    path.write_bytes(content)
    return path


def both_read(mode: str, form: str) -> bool:
    """Whether Pillow writes a mode in a format and OpenCV reads that as the same colours."""
    if (mode, form) == ("YCbCr", "JPEG2000"):
        return False  # OpenCV takes its channels for RGB
    content = encoded(Image.fromarray(COLOURS).convert(mode), form)
    return content is not None and cv2.imdecode(np.frombuffer(content, np.uint8), 1) is not None


def opencv(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


PAIRS = [(mode, form) for mode in MODES for form in FORMATS if both_read(mode, form)]


@pytest.mark.parametrize(("mode", "form"), PAIRS)
def test_eight_bits_are_what_opencv_reads(mode: str, form: str, tmp_path: Path) -> None:
    path = written(Image.fromarray(COLOURS).convert(mode), form, tmp_path / "photo")
    found = read_rgb(path)
    assert found.shape == (16, 24, 3)
    # Two ways of rounding CMYK and YCbCr.
    bound = 1 if mode in ("CMYK", "YCbCr") else 0
    assert np.abs(found.astype(int) - opencv(path)).max() <= bound


def test_all_modes_of_photographs_are_compared() -> None:
    assert {mode for mode, _ in PAIRS} == set(MODES)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_sixteen_bits_of_grey_lose_their_lower_eight(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"photo{suffix}"
    cv2.imwrite(str(path), DEEP)
    found = read_rgb(path)
    np.testing.assert_array_equal(found[..., 1], DEEP >> 8)
    np.testing.assert_array_equal(found, opencv(path))


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_colour_too(channels: int, tmp_path: Path) -> None:
    deep = RANDOM.integers(0, 65536, (16, 24, channels), dtype=np.uint16)
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), deep)
    np.testing.assert_array_equal(read_rgb(path), deep[..., 2::-1] >> 8)


@pytest.mark.parametrize(("kind", "words"), [("I", "32-bit integers"), ("F", "32-bit floats")])
def test_what_is_no_photograph_is_refused(kind: str, words: str, tmp_path: Path) -> None:
    values = DEEP.astype(np.int32) if kind == "I" else (DEEP / 65535).astype(np.float32)
    path = written(Image.fromarray(values), "TIFF", tmp_path / "depth.tif")
    with pytest.raises(SegmodelsError, match=rf"depth\.tif: TIFF of mode '{kind}' \({words}\)"):
        read_rgb(path)


def test_lab_is_refused(tmp_path: Path) -> None:
    path = written(Image.new("LAB", (8, 8)), "TIFF", tmp_path / "a.tif")
    with pytest.raises(SegmodelsError, match="CIE Lab"):
        read_rgb(path)


LABELS = Image.fromarray(RANDOM.integers(0, 5, (16, 24), dtype=np.uint8))


@pytest.mark.parametrize(
    ("form", "options", "words"),
    [
        ("JPEG", {"quality": 95}, "a JPEG file"),
        ("WEBP", {}, "a WebP file"),
        ("WEBP", {"lossless": True}, "a WebP file"),
        ("JPEG2000", {}, "a JPEG 2000 file"),
        ("AVIF", {}, "an? AVIF file"),
        ("TIFF", {"compression": "jpeg"}, "TIFF with jpeg compression"),
    ],
)
@pytest.mark.parametrize("name", ["label.png", "label"])
def test_labels_in_a_coding_that_may_change_them_are_refused(
    form: str, options: dict[str, object], words: str, name: str, tmp_path: Path
) -> None:
    path = written(LABELS, form, tmp_path / name, **options)
    with pytest.raises(SegmodelsError, match=rf"{name}: a?n? ?.*{words}.*original label file"):
        read_grey(path)


LOSSLESS: list[tuple[str, dict[str, object]]] = [
    ("PNG", {}),
    ("PNG", {"optimize": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "packbits"}),
    ("BMP", {}),
    ("PPM", {}),
]


@pytest.mark.parametrize(("form", "options"), LOSSLESS)
def test_lossless_codings_keep_every_number(
    form: str, options: dict[str, object], tmp_path: Path
) -> None:
    @settings(max_examples=20)
    @given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40))
    def check(seed: int, height: int, width: int) -> None:
        random = np.random.default_rng(seed)
        labels = random.integers(0, random.integers(1, 257), (height, width), dtype=np.uint8)
        path = written(Image.fromarray(labels), form, tmp_path / "labels", **options)
        np.testing.assert_array_equal(read_grey(path), labels)

    check()


def test_one_bit_says_nothing_but_0(tmp_path: Path) -> None:
    """Optimisers store a label file of zeros so; 1 is 1 for Pillow and 255 for OpenCV."""
    bits = np.zeros((4, 6), dtype=np.bool_)
    path = written(Image.fromarray(bits), "PNG", tmp_path / "a.png")
    found = read_grey(path)
    assert found.dtype == np.uint8
    assert not found.any()
    bits[1, 2] = True
    path = written(Image.fromarray(bits), "PNG", tmp_path / "a.png")
    with pytest.raises(SegmodelsError, match="Two values are the mask of one class"):
        read_grey(path)


@pytest.mark.parametrize("form", ["GIF", "PNG", "TIFF"])
@pytest.mark.parametrize("read", [read_rgb, read_grey])
def test_several_pictures_in_one_file_are_refused(form: str, read: object, tmp_path: Path) -> None:
    other = Image.fromarray(np.asarray(LABELS)[::-1].copy())
    path = written(LABELS, form, tmp_path / "a", save_all=True, append_images=[other])
    with pytest.raises(SegmodelsError, match=r"a: a .* is one picture, this file holds 2"):
        read(path)  # type: ignore[operator]


def test_the_preview_in_a_cameras_jpeg_is_no_second_photograph(tmp_path: Path) -> None:
    photo = Image.fromarray(COLOURS)
    path = written(photo, "MPO", tmp_path / "a.jpg", save_all=True, append_images=[photo])
    np.testing.assert_array_equal(read_rgb(path), opencv(path))


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_every_turn_that_exif_asks_for_is_named(number: int, form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    path = written(Image.fromarray(COLOURS), form, tmp_path / "a", exif=exif.tobytes())
    assert bool(turn_of(path)) == (number != 1)
    assert read_rgb(path).shape == (16, 24, 3)  # as it lies


def test_a_check_of_the_data_names_the_turned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_dataset("shapes")
    path = open_dataset("shapes", "test").files[1].image
    exif = Image.Exif()
    exif[0x0112] = 3
    assert isinstance(path, Path)
    with Image.open(path) as picture:
        written(picture.copy(), "PNG", path, exif=exif.tobytes())
    assert cli.main(["data", "check", "shapes"]) == 0
    said = capsys.readouterr().out
    assert "EXIF asks for 1 photographs to be turned (00001 turned by 180 degrees)" in said


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"<html>", struct.pack("<I", 7) * 100])
def test_what_is_no_image_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (read_rgb, read_grey, turn_of):
        with pytest.raises(SegmodelsError, match=r"a\.png: cannot be decoded"):
            read(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n",
            "is a pointer of Git LFS .* 3 bytes",
        ),
        (b"<!DOCTYPE html><title>Log in</title>", "is a web page titled 'Log in'"),
    ],
)
@pytest.mark.parametrize("read", [read_rgb, read_grey])
def test_what_lies_in_an_image_s_place_is_told(
    read: Callable[[Path], object], content: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=rf"a\.png: cannot be decoded \(it {told}") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
@pytest.mark.parametrize("read", [read_rgb, read_grey, read_json, read_yaml])
def test_a_pipe_is_not_waited_for(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(SegmodelsError, match=r"a\.png: a pipe or a device, no file"):
        read(tmp_path / "a.png")
