"""Recall by object size, on objects drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from segmodels.errors import SegmodelsError
from segmodels.metrics.object_size import size_counts


def test_objects_fall_into_their_sizes() -> None:
    label = np.zeros((10, 12), dtype=np.uint8)
    label[0, 0] = 1  # area 1
    label[2:4, 2:4] = 1  # area 4
    label[4, 4] = 1  # touches the last one at a corner: area 5 together
    label[6:9, 6:11] = 1  # area 15
    label[9] = 255
    guess = label.copy()
    guess[guess == 255] = 0
    guess[0, 0] = 0
    guess[2, 2] = 0
    found = size_counts(label, guess, 3, edges=(5, 15))
    assert found.objects.tolist() == [[0, 0, 1], [1, 1, 1], [0, 0, 0]]
    assert found.pixels[1].tolist() == [1, 5, 15]
    assert found.right[1].tolist() == [0, 4, 15]
    assert found.pixels.sum() == (label != 255).sum()
    assert found.right.sum() == ((label == guess) & (label != 255)).sum()
    assert all(counts.dtype == np.int64 for counts in found)


def test_components_of_one_class_only() -> None:
    label = np.array([[1, 2, 1], [2, 2, 2], [1, 2, 1]])
    found = size_counts(label, label, 3, edges=(2,))
    assert found.objects.tolist() == [[0, 0], [4, 0], [0, 1]]


def test_wrong_input_is_told() -> None:
    label = np.zeros((4, 4), dtype=np.uint8)
    with pytest.raises(SegmodelsError, match="label holds 7"):
        size_counts(label + 7, label, 2)
    with pytest.raises(SegmodelsError, match="ascend"):
        size_counts(label, label, 2, edges=(9, 4))
    with pytest.raises(SegmodelsError, match=r"\(4, 4\) but prediction is \(4, 3\)"):
        size_counts(label, label[:, :3], 2)
