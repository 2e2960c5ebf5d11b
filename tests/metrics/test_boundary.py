"""Boundary IoU against the definition: every class mask eroded by itself."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segmodels.errors import SegmodelsError
from segmodels.metrics.boundary import band, band_width, boundary_counts

LABELS = arrays(np.uint8, (9, 12), elements=st.sampled_from([0, 1, 2, 255]))
GUESSES = arrays(np.uint8, (9, 12), elements=st.integers(0, 2))


def band_of_mask(mask: Any, width: int) -> Any:
    """As the paper's authors find it: pad with zeros, erode `width` times, subtract."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & (eroded == 0)


@settings(max_examples=60)
@given(LABELS, GUESSES, st.sampled_from([0.02, 0.15, 0.3, 1.0]))
def test_counts_equal_masks_eroded_one_by_one(label: Any, guess: Any, share: float) -> None:
    width = band_width(9, 12, share)
    intersection, union = boundary_counts(label, guess, 3, share=share)
    for c in range(3):
        true = band_of_mask(label == c, width) & (label != 255)
        found = band_of_mask(guess == c, width) & (label != 255)
        assert intersection[c] == (true & found).sum()
        assert union[c] == (true | found).sum()
    assert intersection.dtype == union.dtype == np.int64


def test_by_hand() -> None:
    label = np.zeros((7, 7), dtype=np.int64)
    label[:, 4:] = 1
    guess = np.zeros_like(label)
    guess[:, 3:] = 1
    # Bands of width 1: of 7x4 pixels all but 5x2, of 7x3 all but 5x1. They share the outer
    # column and what is left of the first and last row: 7 + 2 + 2.
    intersection, union = boundary_counts(label, guess, 3)
    assert intersection.tolist() == [11, 11, 0]
    assert union.tolist() == [18 + 16 - 11, 16 + 18 - 11, 0]


def test_the_width_is_that_of_the_paper() -> None:
    assert band_width(1024, 2048) == 46
    assert band_width(512, 683) == 17
    assert band_width(10, 10) == 1


def test_a_shift_costs_more_at_the_boundary_than_in_the_mask() -> None:
    label = np.zeros((100, 100), dtype=np.uint8)
    label[20:80, 20:80] = 1
    guess = np.roll(label, 2, axis=1)
    intersection, union = boundary_counts(label, guess, 2)
    mask = ((label == 1) & (guess == 1)).sum() / ((label == 1) | (guess == 1)).sum()
    assert intersection[1] / union[1] < mask - 0.2
    same, also = boundary_counts(label, label, 2)
    np.testing.assert_array_equal(same, also)


def test_wrong_input_is_told() -> None:
    label = np.zeros((4, 4), dtype=np.uint8)
    with pytest.raises(SegmodelsError, match=r"\(4, 4\) but prediction is \(4, 3\)"):
        boundary_counts(label, label[:, :3], 2)
    with pytest.raises(SegmodelsError, match="label holds values outside"):
        boundary_counts(label + 2, label, 2)
    with pytest.raises(SegmodelsError, match="prediction holds values outside"):
        boundary_counts(label, label + 2, 2)
    with pytest.raises(SegmodelsError, match="16 bits"):
        band(label.astype(np.int64) + 2**20, 1)
