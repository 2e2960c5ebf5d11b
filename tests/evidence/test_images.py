"""Counts of all images: one by one and as arrays they are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence

from segmodels.errors import SegmodelsError
from segmodels.evidence import ImageCounts, read_evidence, write_evidence
from segmodels.evidence.images import Images

COUNTS = st.lists(
    st.dictionaries(st.integers(0, 300), st.integers(1, 2**40), max_size=6), max_size=5
)


def items(found: list[dict[int, int]]) -> tuple[ImageCounts, ...]:
    return tuple(
        ImageCounts(f'"é{index}"', tuple(sorted(one)), tuple(one[cell] for cell in sorted(one)))
        for index, one in enumerate(found)
    )


@given(COUNTS)
def test_both_forms_are_the_same(found: list[dict[int, int]]) -> None:
    listed = Images(items(found))
    shuffled = np.random.default_rng(0).permutation(len(listed.sparse[0]))
    image, cell, count = (part[shuffled] for part in listed.sparse)
    packed = Images.of(listed.names, (image, cell, count))
    assert packed.text() == listed.text()
    assert packed == Images.of(listed.names, (image, cell, count))
    assert hash(packed) == hash(listed)
    assert tuple(packed) == items(found)
    assert packed == listed
    assert listed == packed
    assert packed == items(found)
    assert [packed[i] for i in range(len(packed))] == list(listed[:])
    assert packed.are_within(301, 2**40)
    assert not listed.are_within(301, 2**40), "entries of others are looked at one by one"


@pytest.mark.parametrize(
    ("cells", "counts"), [((3, 3), (1, 1)), ((4, 300), (1, 1)), ((4, 5), (1, 0)), ((1, 2), (1, 9))]
)
def test_arrays_that_are_not_sound_are_not_passed_over(
    cells: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    zeros = np.zeros(len(cells), np.int64)
    made = Images.of(["a"], (zeros, np.array(cells), np.array(counts, np.uint64)))
    assert not made.are_within(300, 8)


def test_what_differs_is_not_equal() -> None:
    one, other = Images(items([{1: 2}])), Images(items([{1: 3}]))
    packed = Images.of(one.names, one.sparse)
    assert packed != other
    assert packed != Images.of(other.names, other.sparse)
    assert packed != 5


def test_a_file_that_was_sound_is_checked_again_once_it_changed(tmp_path: Path) -> None:
    path = write_evidence(tmp_path, evidence())
    whole = read_evidence(path)
    assert read_evidence(path) == whole
    counts = path.with_suffix(".counts.jsonl")
    text = counts.read_text()
    digit = next(sign for sign in "123456789" if sign in text)
    counts.write_text(text.replace(digit, "7" if digit != "7" else "3", 1))
    with pytest.raises(SegmodelsError, match="changed after they were written"):
        read_evidence(path)
