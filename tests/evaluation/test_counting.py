"""Counting pixels: the same integers for every type, size and device, and no stray value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segmodels.errors import SegmodelsError
from segmodels.evaluation import counting
from segmodels.evaluation.counting import confusion_matrix, count_pairs

SIGNED = ("int8", "int16", "int32", "int64", ">i4")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")


def one_by_one(label: Any, prediction: Any, classes: int, outputs: int, void: int) -> Any:
    """The definition, pixel by pixel."""
    counts = np.zeros((classes + 1, outputs), dtype=np.int64)
    for truth, guess in zip(label.flat, prediction.flat, strict=True):
        counts[classes if truth == void else int(truth), int(guess)] += 1
    return counts


@st.composite
def maps(draw: Any) -> Any:
    classes, outputs = draw(st.sampled_from([(3, 4), (100, 100), (127, 127), (300, 260)]))
    types = ["int16", "int32", "int64", ">i4", "uint16", "uint64"]
    if classes < 200:
        types += ["int8", "uint8"]
    kinds = [np.dtype(draw(st.sampled_from(types))) for _ in range(2)]
    void = draw(st.sampled_from([-1, 0, classes - 1, classes, 126, 127, 255, 1000]))
    low, high = np.iinfo(kinds[0]).min, np.iinfo(kinds[0]).max
    shape = draw(st.sampled_from([(7,), (3, 5), (2, 3, 2), (0,), ()]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    label = generator.integers(0, classes, shape)
    if low <= void <= high:
        label = np.where(generator.random(shape) < 0.3, void, label)
    guess = generator.integers(0, outputs, shape)
    return label.astype(kinds[0]), guess.astype(kinds[1]), classes, outputs, void


@pytest.fixture(params=["smooth", "noisy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count in one of the two ways whatever the maps look like."""
    smooth = request.param == "smooth"
    monkeypatch.setattr(counting, "_is_smooth", lambda one, _: smooth and one.size >= 3)


def test_maps_of_areas_and_of_noise() -> None:
    """Which are counted in another order, the last pixels apart."""
    label = np.zeros((64, 100), dtype=np.uint8)  # 6400 = 1 modulo 3
    label[20:50, 30:60] = 1
    label[:3] = label[-1] = 255
    guess = np.roll(label, 2, axis=1) % 255
    noise = np.random.default_rng(0).integers(0, 2, label.shape, dtype=np.uint8)
    assert counting._is_smooth(label.ravel(), guess.ravel())
    assert not counting._is_smooth(label.ravel(), noise.ravel())
    for other in (guess, noise):
        for size in (6398, 6399, 6400):
            pair = label.ravel()[:size], other.ravel()[:size]
            expected = one_by_one(*pair, 2, 2, 255)
            np.testing.assert_array_equal(count_pairs(*pair, 2, 2), expected)


@given(maps())
def test_every_type_and_void_label_gives_the_same_integers(made: Any) -> None:
    label, guess, *rest = made
    before = label.copy(), guess.copy()
    counts = count_pairs(*made)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, one_by_one(*made))
    np.testing.assert_array_equal(label, before[0])
    np.testing.assert_array_equal(guess, before[1])
    tensors = [torch.from_numpy(one.astype(np.int64)) for one in (label, guess)]
    on_device = count_pairs(*tensors, *rest)
    assert on_device.dtype == np.int64
    np.testing.assert_array_equal(on_device, counts)


def test_every_pair_of_bytes_has_its_cell(way: None) -> None:
    """OpenCV maps values to bins in floating point; here every bin of every size is seen."""
    label = np.repeat(np.arange(256, dtype=np.uint8), 256).reshape(256, 256)
    for outputs in range(1, 257):
        guess = np.tile((np.arange(256) % outputs).astype(np.uint8), (256, 1))
        counts = count_pairs(label, guess, 256, outputs, ignore_index=-1)
        expected = np.zeros((257, outputs), dtype=np.int64)
        expected[:256] = np.bincount(np.arange(256) % outputs, minlength=outputs)
        np.testing.assert_array_equal(counts, expected)


def test_maps_larger_than_a_piece_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    label, guess = generator.integers(0, 5, (2, 30, 31), dtype=np.uint8)
    whole = confusion_matrix(label, guess, 5)
    monkeypatch.setattr(counting, "_EXACT", 64)
    np.testing.assert_array_equal(confusion_matrix(label, guess, 5), whole)


def test_counts_above_what_float32_can_hold(way: None) -> None:
    label = np.zeros((4097, 4096), dtype=np.uint8)  # 2**24 + 4096 pixels
    label.flat[-1] = 1
    assert confusion_matrix(label, label, 2).tolist() == [[label.size - 1, 0], [0, 1]]


def test_views_and_files_that_cannot_be_written_to() -> None:
    label = np.arange(60, dtype=np.uint8).reshape(6, 10) % 3
    label.setflags(write=False)
    part = label[::2, ::-3]
    np.testing.assert_array_equal(
        confusion_matrix(part, part, 3), confusion_matrix(*[part.copy()] * 2, 3)
    )
    flags = label > 0
    assert confusion_matrix(flags, flags, 2).sum() == 60


@pytest.mark.parametrize("kind", [*SIGNED, *UNSIGNED, "tensor"])
@pytest.mark.parametrize(
    ("label", "guess", "void", "message"),
    [
        ([0, 1], [0, 3], 255, "prediction holds 3, outside the classes 0..2"),
        ([0, 1, 1], [3, 0, 0], 255, "prediction holds 3, outside the classes 0..2"),
        ([9, 0, 1, 1], [0, 0, 0, 0], 255, "label holds 9"),
        ([0, 0, 1, 9], [0, 0, 0, 0], 255, "label holds 9"),
        ([0, 3], [0, 1], 255, "label holds 3, outside"),
        ([0, 101], [0, 1], 100, "label holds 101"),
        ([0, 5], [0, 2], -1, "label holds 5"),
    ],
)
def test_stray_values_are_named(
    way: None, kind: str, label: list[int], guess: list[int], void: int, message: str
) -> None:
    pair: Any = [
        np.array(values).astype("i8" if kind == "tensor" else kind) for values in (label, guess)
    ]
    if kind == "tensor":
        pair = [torch.from_numpy(one) for one in pair]
    with pytest.raises(SegmodelsError, match=message):
        confusion_matrix(*pair, 3, ignore_index=void)


@pytest.mark.parametrize("kind", SIGNED)
def test_a_negative_value_is_no_void(kind: str) -> None:
    zeros = np.zeros(2, dtype=kind)
    low = np.array([-1, 0], dtype=kind)
    with pytest.raises(SegmodelsError, match="label holds -1"):
        confusion_matrix(low, zeros, 3)
    with pytest.raises(SegmodelsError, match="prediction holds -1"):
        confusion_matrix(zeros, low, 3)
    with pytest.raises(SegmodelsError, match="label holds -2"):
        confusion_matrix(low * 2, zeros, 3, ignore_index=-1)


def test_255_in_bytes_is_not_minus_one(way: None) -> None:
    label = np.array([0, 255], dtype=np.uint8)
    for values in (label, label.astype(np.int16)):
        with pytest.raises(SegmodelsError, match="label holds 255"):
            confusion_matrix(values, np.zeros(2, np.uint8), 3, ignore_index=-1)


def test_tensors_are_checked_like_arrays() -> None:
    with pytest.raises(SegmodelsError, match=r"\(2,\) but prediction is \(3,\)"):
        confusion_matrix(torch.zeros(2).long(), torch.zeros(3).long(), 3)
    with pytest.raises(SegmodelsError, match=r"integers, not torch.float32"):
        confusion_matrix(torch.zeros(2), torch.zeros(2).long(), 3)
    mixed = confusion_matrix(np.zeros(2, np.uint8), torch.zeros(2, dtype=torch.uint8), 3)
    assert mixed[0, 0] == 2
