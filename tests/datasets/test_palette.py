"""Label files whose palette an optimiser changed: the same picture, other numbers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from copies import ade20k
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmodels.datasets.copies import add_dataset
from segmodels.datasets.reading.palette import reordered, voc_palette
from segmodels.datasets.reading.pictures import read_grey
from segmodels.errors import SegmodelsError

GREY = [level for level in range(256) for _ in range(3)]
VOC = [value for colour in voc_palette(256) for value in colour]


def written(path, indices, palette):
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    image.putpalette(palette)
    image.save(path)
    return path


def optimised(indices, palette, order):
    """The same picture with only the colours in use, in another order."""
    used = np.unique(indices)[order]
    table = np.zeros(256, dtype=np.uint8)
    table[used] = np.arange(len(used))
    colours = [palette[3 * index + channel] for index in used.tolist() for channel in range(3)]
    return table[indices], colours


def test_the_palette_of_the_voc_devkit():
    colours = voc_palette(256)
    assert len(set(colours)) == 256
    known = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    assert {index: colours[index] for index in known} == known


@pytest.mark.parametrize(("palette", "title"), [(GREY, "grey levels"), (VOC, "VOC devkit")])
def test_a_palette_that_was_cut_down_and_sorted_is_told(tmp_path, palette, title):
    stored = np.array([[0, 12, 12], [5, 149, 255]], dtype=np.uint8)
    assert np.array_equal(read_grey(written(tmp_path / "a.png", stored, palette)), stored)
    path = written(tmp_path / "b.png", *optimised(stored, palette, slice(None)))
    with Image.open(path) as small, Image.open(tmp_path / "a.png") as before:
        assert small.convert("RGB").tobytes() == before.convert("RGB").tobytes()  # looks the same
    with pytest.raises(SegmodelsError, match=rf"b\.png: .*{title}.*index 1 has the colour of 5"):
        read_grey(path)


def test_pillows_own_optimiser_is_noticed(tmp_path):
    stored = np.array([[7, 7], [9, 130]], dtype=np.uint8)
    image = Image.fromarray(stored).convert("P", palette=Image.Palette.ADAPTIVE, colors=3)
    stream = io.BytesIO()
    image.save(stream, "png", optimize=True)
    path = tmp_path / "c.png"
    path.write_bytes(stream.getvalue())
    with pytest.raises(SegmodelsError, match="image optimiser"):
        read_grey(path)


def test_one_class_alone_is_noticed_if_nothing_else_is_in_the_palette():
    zeros = np.zeros((2, 2), dtype=np.uint8)
    assert "index 0 has the colour of 12" in (reordered(zeros, [12, 12, 12]) or "")
    assert reordered(zeros, [12, 12, 12] * 256) is None
    assert reordered(zeros, [0, 0, 0]) is None


@pytest.mark.parametrize(
    "palette",
    [
        [9, 9, 9, 200, 0, 0, 1, 2, 3],  # nobody's colours
        [128, 64, 128, 244, 35, 232, 70, 70, 70],  # Cityscapes' in their order
        [7, 7, 7] * 3,  # not told apart
        [0, 0, 0, 128, 0, 0],  # an index has no colour at all
        GREY,
        VOC,
    ],
)
def test_other_palettes_mean_nothing(palette):
    assert reordered(np.array([[0, 1, 2]], dtype=np.uint8), palette) is None


@given(
    numbers=st.lists(st.integers(0, 255), min_size=2, max_size=20, unique=True),
    random=st.randoms(use_true_random=False),
)
def test_any_order_but_the_right_one_is_noticed(numbers, random):
    stored = np.array([sorted(numbers)], dtype=np.uint8)
    order = list(range(len(numbers)))
    random.shuffle(order)
    for palette in (GREY, VOC):
        indices, colours = optimised(stored, palette, order)
        assert (reordered(indices, colours) is None) == np.array_equal(indices, stored)


def test_a_dataset_names_the_file(project, tmp_path, edit_yaml):
    edit_yaml(
        project / "params" / "datasets.yaml", lambda entries: entries["ade20k"].update(splits={})
    )
    copy = ade20k(tmp_path / "ade")
    path = copy / "annotations/validation/ADE_valid_00000001.png"
    with Image.open(path) as opened:
        stored = np.asarray(opened).copy()
    stored[0, :3] = (3, 40, 150)
    written(path, *optimised(stored, GREY, slice(None)))
    with pytest.raises(SegmodelsError, match=rf"{path.name}: .*grey levels.*original file"):
        add_dataset("ade20k", copy)
