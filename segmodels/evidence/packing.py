"""Counts of every image in few bytes: what `<key>.counts.jsonl` says, for files that git keeps.

A block is an xz stream of one line of JSON (names of the images, cells of a matrix, bytes of the
largest count), then a bit for each cell of each image, then the counts that are not zero: first
their lowest bytes, then the next ones. Cells of one name lie beside each other, because their
counts are alike. That takes 16 kB for 233 images of 11 classes, where the lines take 88 to 125 and,
compressed, 20 (bz2) to 25 (zlib).

Where those bits would be many and nearly all zero (ImageNet: a million cells, of which each of
50,000 images has one), the head says `gaps`, and in their place stands how many zeros are before
each one, in so many bytes, as the counts are.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segmodels.core.files import canonical_json
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.images import Images
from segmodels.evidence.labels import Labels

#: The most that a block may unpack to, so that a small one from somebody else cannot fill the
#: memory: bytes of its first line, cells of all images, counts that are not zero. The 5,000 images
#: of COCO-Stuff have 147 million cells and a million such counts.
_HEAD, _CELLS, _FILLED = 2**24, 2**31, 2**26
_PRESET = 9 | lzma.PRESET_EXTREME
#: Bytes of bits above which gaps are written; unpacking bits takes eight times as many.
_MOST_BITS = 2**26


def pack(images: Sequence[ImageCounts], cells: int, labels: Labels | None = None) -> bytes:
    """Counts of all images as one block.

    Args:
        images: sound ones: their cells ascend, and no count is zero.
        cells: of the whole matrix of an image, `(classes + 1) * outputs`.
        labels: of these images, if whoever unpacks the block has them: names of the images and
            right pixels are left out then, a seventh of the bytes.
    """
    names = [one.image for one in images] if labels is None else None
    counts = Images(images).sparse
    image, cell, count = counts if labels is None else labels.without_right(counts)
    place = cell * len(images) + image
    order = np.argsort(place)
    width = _bytes_of(count)
    head: dict[str, Any] = {"bytes": width, "cells": cells, "images": names}
    size = _bits_size(cells, len(images))
    if size <= _MOST_BITS:
        where = _bits(place, size)
    else:
        gaps = np.diff(place[order], prepend=-1) - 1
        head |= {"gaps": _bytes_of(gaps), "counts": len(gaps)}
        where = _planes(gaps, head["gaps"])
    body = where + _planes(count[order], width)
    return lzma.compress(canonical_json(head).encode() + b"\n" + body, preset=_PRESET)


def _bits_size(cells: int, images: int) -> int:
    return -(-cells * images // 8)


def _bits(place: NDArray[np.int64], size: int) -> bytes:
    """A bit for each place, the first the highest of its byte."""
    bits = np.zeros(size, np.uint8)
    np.bitwise_or.at(bits, place // 8, (128 >> (place % 8)).astype(np.uint8))
    return bits.tobytes()


def _bytes_of(numbers: NDArray[Any]) -> int:
    """How many bytes the largest takes."""
    return (int(numbers.max(initial=0)).bit_length() + 7) // 8


def _planes(numbers: NDArray[Any], width: int) -> bytes:
    """The lowest bytes of all numbers, then the next ones."""
    return numbers.astype("<u8").view(np.uint8).reshape(-1, 8).T[:width].tobytes()


def labels_of(images: Sequence[ImageCounts], rows: int, outputs: int) -> Labels:
    """The labels that counts tell, of matrices of this many rows and columns."""
    return Labels.of(tuple(one.image for one in images), Images(images).sparse, rows, outputs)


def unpack(block: bytes, labels: Labels | None = None) -> Images:
    """The counts of a block, packed with these labels or without any.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    stream = _Stream(block)
    head = json.loads(stream.line())
    told = None if head["images"] else labels
    names = list(told.images if told else head["images"])
    place, count = _counts(stream, head, int(head["cells"]) * len(names))
    cell, image = np.divmod(place, max(1, len(names)))
    counts = image, cell, count
    return Images.of(names, told.with_right(counts) if told else counts)


def _counts(
    stream: _Stream, head: Mapping[str, Any], places: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """What follows the head of a block: places of counts, ascending below `places`, and counts."""
    place = _by_gaps(stream, head, places) if "gaps" in head else _by_bits(stream, places)
    count = _numbers(stream, int(head["bytes"]), len(place))
    stream.end()
    return place, count


def _by_bits(stream: _Stream, places: int) -> NDArray[np.int64]:
    if not 0 <= places <= _CELLS:
        raise ValueError(f"{places} cells of all images")
    bits = np.frombuffer(stream.read(-(-places // 8)), np.uint8)
    if (filled := int(np.bitwise_count(bits).sum())) > _FILLED:
        raise ValueError(f"{filled} counts")
    return np.flatnonzero(np.unpackbits(bits, count=places))


def _by_gaps(stream: _Stream, head: Mapping[str, Any], places: int) -> NDArray[np.int64]:
    gaps = _numbers(stream, int(head["gaps"]), int(head["counts"])).astype(np.int64)
    place = np.cumsum(gaps + 1) - 1
    if len(place) and not (np.diff(place, prepend=-1).min() > 0 and place[-1] < places):
        raise ValueError(f"a count beyond the {places} cells of all images")
    return place


def _numbers(stream: _Stream, width: int, number: int) -> NDArray[np.uint64]:
    """So many numbers, from their lowest bytes and the next ones."""
    if not 0 <= width <= 8 or not 0 <= number <= _FILLED:
        raise ValueError(f"{number} numbers of {width} bytes")
    planes = np.frombuffer(stream.read(width * number), np.uint8)
    numbers = np.zeros((number, 8), np.uint8)
    numbers[:, :width] = planes.reshape(width, number).T
    return numbers.view("<u8")[:, 0].astype(np.uint64)


class _Stream:
    """What one xz stream holds, taken out in pieces (ValueError if it is broken or another size).

    Of each piece no more is unpacked than was asked for.
    """

    def __init__(self, block: bytes) -> None:
        self._stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        self._block, self._before = block, b""

    def line(self) -> bytes:
        """The first line, without its end."""
        line, end, self._before = self._more(_HEAD).partition(b"\n")
        if not end:
            raise ValueError("no line of JSON at the beginning")
        return line

    def read(self, size: int) -> bytes:
        """The next bytes."""
        found, self._before = self._before[:size], self._before[size:]
        while len(found) < size and (more := self._more(size - len(found))):
            found += more
        if len(found) < size:
            raise ValueError(f"{len(found)} bytes where {size} should stand")
        return found

    def end(self) -> None:
        """Nothing may follow."""
        if self._before or self._more(1) or not self._stream.eof or self._stream.unused_data:
            raise ValueError("more than its head tells, or not one xz stream")

    def _more(self, most: int) -> bytes:
        block, self._block = self._block, b""
        try:
            return b"" if self._stream.eof else self._stream.decompress(block, most)
        except (lzma.LZMAError, EOFError) as error:
            raise ValueError(str(error)) from None
