"""Stacks: counts of the same images under several conditions, to the last integer."""

from __future__ import annotations

import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segmodels.evidence import ImageCounts
from segmodels.evidence.images import Images
from segmodels.evidence.labels import Labels
from segmodels.evidence.stack import pack_stack, unpack_stack

ROWS = 4


def images_of(counts: np.ndarray) -> Images:
    """Images of matrices, without a name that stands twice."""
    return Images([ImageCounts.from_matrix(f"ü {i}\n.png", one) for i, one in enumerate(counts)])


def labels_of(images: Images, outputs: int) -> Labels:
    return Labels.of(images.names, images.sparse, ROWS, outputs)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[list[np.ndarray], int]:
    """Matrices of the same labels: the pixels of a row are moved to other columns."""
    number, outputs = draw(st.integers(0, 6)), draw(st.integers(1, 6))
    shape, pixels = (number, ROWS, outputs), st.integers(0, 2**40) | st.just(0)
    first = draw(arrays(np.int64, shape, elements=pixels))
    turns = draw(st.lists(st.integers(0, outputs - 1), min_size=1, max_size=4))
    return [np.roll(first, turn, axis=2) for turn in turns], outputs


@settings(deadline=None, max_examples=60)
@given(conditions())
def test_any_counts_come_back(found: tuple[list[np.ndarray], int]) -> None:
    """Also of images without a pixel, of classes without an output and outputs without a class."""
    matrices, outputs = found
    every = [images_of(one) for one in matrices]
    assert list(unpack_stack(pack_stack(every, labels_of(every[0], outputs)))) == every


@settings(deadline=None, max_examples=20)
@given(conditions())
def test_any_counts_come_back_by_their_gaps(found: tuple[list[np.ndarray], int]) -> None:
    matrices, outputs = found
    every = [images_of(one) for one in matrices]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segmodels.evidence.stream._MOST_BITS", -1)
        block = pack_stack(every, labels_of(every[0], outputs))
    assert b'"gaps"' in lzma.decompress(block)
    assert list(unpack_stack(block)) == every


def test_images_that_stand_in_the_sum_of_another_take_no_bytes() -> None:
    """Under a disturbance, one image of twenty has the counts of all."""
    drawn = np.random.default_rng(0).integers(0, 2**20, (3, 12, ROWS, 8))
    drawn[:, :, :, 0] += 2**24 - drawn.sum(axis=3)  # every row of a condition has the same sum
    spread = np.zeros((3, 240, ROWS, 8), np.int64)
    spread[:, ::20] = drawn
    sizes = []
    for matrices in (drawn, spread):
        every = [images_of(one) for one in matrices]
        block = pack_stack(every, labels_of(every[0], 8))
        assert list(unpack_stack(block)) == every
        sizes.append(len(block))
    assert sizes[1] - sizes[0] < 240 * 8  # their names


HEAD = b'"conditions":1,"images":["a"],"outputs":2,"pixels":1,"rows":2'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"nonsense", "no line"),
        (b"[1]\n", "indices"),
        (b"{" + HEAD + b"}\n", "0 bytes where 2"),
        (b'{"bytes":1,' + HEAD + b"}\n\x09\x09\x60\x0a\x01", "do not add up"),
        (b'{"bytes":1,' + HEAD + b"}\n\x09\x09\x40\x03\x01", "more than its head tells"),
        (b'{"bytes":9,' + HEAD + b"}\n\x09\x09\x40\x03", "numbers of 9 bytes"),
        (
            b'{"bytes":1,' + HEAD.replace(b":1", b":1000000000000", 1) + b"}\n\x09\x09",
            "0000 conditions",
        ),
        (
            b'{"bytes":0,"conditions":1000000000,"images":[],"outputs":1,"pixels":0,"rows":1}\n',
            "0000 conditions",
        ),
        (b'{"bytes":1,' + HEAD.replace(b":1", b":-1", 1) + b"}\n\x09\x09\x40\x03", "cells of"),
        (b'{"bytes":1,' + HEAD[:-1] + b"1000000000000}\n\x09\x09", "numbers of 1 bytes"),
        (b'{"bytes":1,' + HEAD[:-1] + b"-2}\n\x09\x09", "numbers of 1 bytes"),
    ],
)
def test_a_stream_of_something_else_is_refused(text: bytes, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        unpack_stack(lzma.compress(text))


def test_no_byte_can_be_changed_unseen() -> None:
    matrices = np.random.default_rng(0).integers(0, 300, (2, ROWS, 4))
    every = [images_of(np.roll(matrices, turn, axis=2)) for turn in range(3)]
    whole = pack_stack(every, labels_of(every[0], 4))
    broken = [whole[:-1], b"", whole + b"\0", whole + bytes(4), whole + whole]
    broken += [whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :] for i in range(len(whole))]
    for block in broken:
        with pytest.raises((ValueError, KeyError, TypeError)):
            unpack_stack(block)
