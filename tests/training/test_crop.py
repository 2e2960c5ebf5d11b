"""The choice of a crop, against mmsegmentation's rule written once more."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.core.arrays import VOID
from segmodels.training.augmentation import TRIES, Box
from segmodels.training.augmentation import crop as module
from segmodels.training.augmentation.crop import boxes, choose, is_varied


def patches(height, width, seed):
    random = np.random.default_rng(seed)
    coarse = random.choice([0, 0, 0, 1, 2, VOID], (height // 5 + 1, width // 5 + 1))
    return np.kron(coarse, np.ones((5, 5)))[:height, :width].astype(np.uint8)


def corners(seed=0):
    return np.random.default_rng(seed).random((TRIES + 1, 2)).tolist()


def by_the_rule(label, size, crop, draws, limit):
    """As mmsegmentation: resize all labels, look at ten boxes, take the eleventh unseen."""
    label = cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST)
    margin = [max(side - wanted, 0) for side, wanted in zip(size, crop, strict=True)]
    tries = [[int(share * (m + 1)) for share, m in zip(d, margin, strict=True)] for d in draws]
    for number, (top, left) in enumerate(tries):
        seen = label[top : top + crop[0], left : left + crop[1]]
        values, counts = np.unique(seen, return_counts=True)
        counts = counts[values != VOID]
        varied = len(counts) > 1 and np.max(counts) / np.sum(counts) < limit
        if varied or number == TRIES or limit >= 1:
            return top, left, seen
    raise AssertionError


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from([(16, 16), (7, 30), (100, 20), (1, 1)]),
    st.sampled_from([0.3, 0.75, 1.0]),
    st.integers(0, 1000),
)
def test_the_box_of_mmsegmentation(height, width, tall, wide, crop, limit, seed):
    label, size, draws = patches(height, width, seed), (tall, wide), corners(seed)
    before = label.copy()
    label.setflags(write=False)
    box, found = choose(label, size, boxes(size, crop, draws), limit)
    top, left, expected = by_the_rule(label, size, crop, draws, limit)
    assert (box.top, box.left) == (top, left)
    assert box.size == expected.shape
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(label, before)


@pytest.mark.parametrize(
    ("counts", "varied"),
    [
        ({0: 74, 1: 26}, True),
        ({0: 75, 1: 25}, False),  # below the limit, not at it
        ({0: 100}, False),
        ({0: 5, 1: 5, VOID: 90}, True),  # void is neither a category nor labelled
        ({0: 10, VOID: 90}, False),
        ({VOID: 100}, False),
        ({0: 0}, False),
    ],
)
def test_what_is_varied(counts, varied):
    label = np.repeat(list(counts), list(counts.values())).astype(np.uint8)[None]
    if label.size:
        assert is_varied(label, 0.75) is varied
    assert is_varied(np.full((4, 4), VOID, dtype=np.uint8), 0.75) is False


@given(st.integers(0, 500))
def test_counting_in_both_ways(seed):
    label = patches(20, 30, seed)
    expected = np.bincount(label.ravel(), minlength=256)
    np.testing.assert_array_equal(module._counts(label), expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_EXACT", 0)
        np.testing.assert_array_equal(module._counts(label), expected)


def test_the_limit_is_kept_where_it_can_be():
    """One varied corner in a field of one class: with ten tries it is met far more often."""
    label = np.zeros((60, 60), dtype=np.uint8)
    label[:30, :30] = np.arange(30) % 4
    seen = {0.75: 0, 1.0: 0}
    for limit in seen:
        for seed in range(200):
            tries = boxes((60, 60), (20, 20), corners(seed))
            seen[limit] += is_varied(choose(label, (60, 60), tries, limit)[1], 0.75)
    assert seen[1.0] < 80  # about a quarter of all places
    assert seen[0.75] > 180


def test_every_place_is_possible_and_none_outside():
    shares = np.nextafter(1, 0), 0.0, 0.5
    found = list(boxes((5, 9), (3, 4), [(a, b) for a in shares for b in shares]))
    assert {(box.top, box.left) for box in found} == {(a, b) for a in (2, 0, 1) for b in (5, 0, 3)}
    assert {box.size for box in found} == {(3, 4)}
    assert list(boxes((2, 9), (3, 4), [(0.9, 0.0)])) == [Box(0, 0, 2, 4)]
    tops = {box.top for box in boxes((8, 4), (3, 4), np.random.default_rng(0).random((200, 2)))}
    assert tops == set(range(6))


def test_nothing_is_tried_twice_where_there_is_one_place(monkeypatch):
    label = np.zeros((6, 6), dtype=np.uint8)
    monkeypatch.setattr(module, "is_varied", None)  # not asked
    box, found = choose(label, (6, 6), boxes((6, 6), (9, 9), corners()), 0.75)
    assert box == Box(0, 0, 6, 6)
    np.testing.assert_array_equal(found, label)
