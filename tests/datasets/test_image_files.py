"""Decoding of single files, however they are damaged."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmodels.datasets.reading.base import Dataset, Files
from segmodels.datasets.reading.pictures import read_grey, read_rgb
from segmodels.errors import SegmodelsError, UnknownNameError


def picture(mode="L", size=(12, 8), form="PNG"):
    random = np.random.default_rng(0).integers(0, 5, (size[1], size[0]), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(random).convert(mode).save(stream, form)
    return stream.getvalue(), random


@pytest.fixture
def write(tmp_path):
    def _write(content):
        path = tmp_path / "a.png"
        path.write_bytes(content)
        return path

    return _write


def test_grey_and_palette_labels_keep_their_numbers(write):
    content, labels = picture()
    np.testing.assert_array_equal(read_grey(write(content)), labels)
    indexed = Image.new("P", labels.shape[::-1])
    indexed.putdata(labels.ravel().tolist())
    indexed.putpalette([9, 9, 9, 200, 0, 0] + [7] * 762)
    stream = io.BytesIO()
    indexed.save(stream, "PNG")
    np.testing.assert_array_equal(read_grey(write(stream.getvalue())), labels)


@pytest.mark.parametrize("mode", ["I;16", "RGB", "LA", "1", "RGBA"])
def test_a_label_of_another_kind_is_refused(write, mode):
    labels = picture()[1]
    kinds = {"I;16": labels.astype(np.uint16), "1": labels > 2}
    stream = io.BytesIO()
    made = Image.fromarray(kinds[mode]) if mode in kinds else Image.fromarray(labels).convert(mode)
    made.save(stream, "PNG")
    path = write(stream.getvalue())
    with pytest.raises(SegmodelsError, match="a label file is 8-bit with one channel") as caught:
        read_grey(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
def test_any_image_becomes_rgb(write, mode):
    pixels = read_rgb(write(picture(mode)[0]))
    assert (pixels.shape, pixels.dtype) == ((8, 12, 3), np.uint8)


@pytest.mark.parametrize("read", [read_rgb, read_grey])
@pytest.mark.parametrize("content", [b"", b"no picture", picture()[0][:-30], picture()[0][:40]])
def test_a_truncated_file_is_named(write, read, content):
    path = write(content)
    with pytest.raises(SegmodelsError, match=r"cannot be decoded .*prepare the dataset") as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("read", [read_rgb, read_grey])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(SegmodelsError, match=r"gone.png: missing. Download and prepare"):
        read(tmp_path / "gone.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@given(data=st.data())
def test_no_damage_gives_anything_but_pixels_or_one_error(tmp_path_factory, form, data):
    content = bytearray(picture(form=form)[0])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged", numbered=True) / "a.png"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for read in (read_rgb, read_grey):
        with warnings.catch_warnings(), suppress(SegmodelsError):
            warnings.simplefilter("ignore")  # Pillow's remarks on sizes and profiles
            assert read(path).dtype == np.uint8


def test_a_decompression_bomb_is_refused(write, monkeypatch):
    path = write(picture()[0])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(SegmodelsError, match="decompression bomb"):
        read_rgb(path)


# A split of two classes


class Toy(Dataset):
    name = "toy"
    splits = ("train", "test")
    class_names = ("no", "yes")
    palette = ((0, 0, 0), (255, 0, 0))

    @classmethod
    def prepare(cls, entry, downloads, folder):
        raise NotImplementedError

    def list_files(self):
        paths = sorted(self.root.glob("*.jpg"))
        return [Files(path.stem, path, path.with_suffix(".png")) for path in paths]


@pytest.fixture
def toy(tmp_path):
    def _make(label, size=(4, 3)):
        Image.new("RGB", size, (9, 9, 9)).save(tmp_path / "one.jpg")
        Image.fromarray(np.asarray(label, dtype=np.uint8)).save(tmp_path / "one.png")
        return Toy(tmp_path, "test")

    return _make


LABEL = [[0, 1, 255, 0]] * 3


def test_a_sample_is_read(toy):
    (sample,) = toy(LABEL)
    assert (sample.name, sample.image.shape) == ("one", (3, 4, 3))
    assert sample.label.tolist() == LABEL


@pytest.mark.parametrize("stray", [2, 12, 254])
def test_a_label_outside_the_classes_is_named(toy, stray):
    dataset = toy([[0, 1, stray, 255]] * 3)
    with pytest.raises(SegmodelsError, match=f"one.png: label {stray} lies outside .*0..1 of toy"):
        dataset.read(0)


def test_image_and_label_of_different_sizes_are_named(toy):
    dataset = toy(LABEL, size=(5, 3))
    with pytest.raises(SegmodelsError, match=r"one.png: labels are 4x3, but one.jpg is 5x3"):
        dataset.read(0)


def test_an_unknown_split_suggests_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match=r"split of toy 'tets'. Did you mean 'test'"):
        Toy(tmp_path, "tets")


def test_an_unprepared_or_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(SegmodelsError, match=r"'toy' is not prepared. Run: dvc repro"):
        Toy(tmp_path / "gone", "test")
    with pytest.raises(SegmodelsError, match=r"split 'test' holds no images. Download and prepare"):
        Toy(tmp_path, "test")
