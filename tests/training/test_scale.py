"""Resizing for a crop gives the very pixels of resizing the whole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segmodels.training.augmentation import Box
from segmodels.training.augmentation.scale import nearest, resized_part

SIDES = st.integers(1, 90)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def whole(image, size):
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


@st.composite
def cases(draw, sides=SIDES):
    """Size before, size after, a box of what is after."""
    before, after = (draw(sides), draw(sides)), (draw(sides), draw(sides))
    height, width = (draw(st.integers(1, side)) for side in after)
    top, left = draw(st.integers(0, after[0] - height)), draw(st.integers(0, after[1] - width))
    return before, after, Box(top, left, height, width)


@given(cases(), st.integers(0, 5))
@example(((64, 64), (65, 65), Box(0, 0, 5, 5)), 0)  # a part that OpenCV would copy
@example(((64, 64), (64, 65), Box(0, 0, 64, 5)), 0)
@example(((64, 64), (32, 32), Box(3, 4, 5, 6)), 0)  # OpenCV averages when it halves
@example(((1, 1), (7, 9), Box(2, 3, 1, 1)), 0)
@settings(max_examples=400)
def test_a_part_is_cut_from_the_whole(case, seed):
    before, after, box = case
    image = noise(*before, seed)
    found = resized_part(image, after, box)
    assert found.shape == (*box.size, 3)
    np.testing.assert_array_equal(found, whole(image, after)[box.rows, box.columns])


@given(st.floats(0.5, 2.0), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=25)
def test_a_part_is_cut_from_a_large_whole(ratio, down, right):
    image = LARGE
    after = (int(512 * ratio), int(1024 * ratio + 0.5))
    height, width = min(192, after[0]), min(192, after[1])
    box = Box(int(down * (after[0] - height)), int(right * (after[1] - width)), height, width)
    expected = whole(image, after)[box.rows, box.columns]
    np.testing.assert_array_equal(resized_part(image, after, box), expected)


LARGE = noise(512, 1024)


def test_only_what_is_needed_is_resized(monkeypatch):
    sizes = []
    real = cv2.resize

    def spy(image, *rest, **others):
        sizes.append(image.shape[:2])
        return real(image, *rest, **others)

    monkeypatch.setattr(cv2, "resize", spy)
    resized_part(noise(100, 200), (200, 400), Box(20, 40, 30, 60))
    assert sizes == [(27, 52)]  # the box ends at 25 and 50, and two more are looked at
    sizes.clear()
    image = noise(20, 30)
    assert resized_part(image, (20, 30), Box(5, 6, 7, 8)).base is image
    assert sizes == []


@given(st.integers(1, 300), st.integers(1, 300))
def test_nearest_is_opencvs(before, after):
    label = np.random.default_rng(before).integers(0, 256, (3, before), dtype=np.uint8)
    expected = cv2.resize(label, (after, 3), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(label[:, nearest(before, after)], expected)
    down = cv2.resize(np.ascontiguousarray(label.T), (3, after), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(label.T[nearest(before, after)], down)


@pytest.mark.parametrize("before", [2047, 2048, 683])
@pytest.mark.parametrize("after", [1, 1024, 1333, 4096])
def test_nearest_of_long_sides(before, after):
    columns = np.arange(before)
    label = np.stack([columns % 256, columns // 256]).astype(np.uint8)
    expected = cv2.resize(label, (after, 2), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(label[:, nearest(before, after)], expected)
