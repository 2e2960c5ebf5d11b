"""Counts of every image in few bytes: what `<key>.counts.jsonl` says, for files that git keeps.

A block is an xz stream of one line of JSON (names of the images, cells of a matrix, bytes of the
largest count), then a bit for each cell of each image, then the counts that are not zero: first
their lowest bytes, then the next ones. Cells of one name lie beside each other, because their
counts are alike. That takes 16 kB for 233 images of 11 classes, where the lines take 88 to 125 and,
compressed, 20 (bz2) to 25 (zlib).
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence

import numpy as np

from segmodels.core.files import canonical_json
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.images import Images, Sparse
from segmodels.evidence.labels import Labels

#: The most that a block may unpack to, so that a small one from somebody else cannot fill the
#: memory: bytes of its first line, cells of all images, counts that are not zero. The 5,000 images
#: of COCO-Stuff have 147 million cells and a million such counts.
_HEAD, _CELLS, _FILLED = 2**24, 2**31, 2**26
_PRESET = 9 | lzma.PRESET_EXTREME


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
    order = np.lexsort((image, cell))
    mask = np.zeros((cells, len(images)), dtype=bool)
    mask[cell, image] = True
    width = (int(count.max(initial=0)).bit_length() + 7) // 8
    head = {"bytes": width, "cells": cells, "images": names}
    planes = count[order].astype("<u8").view(np.uint8).reshape(-1, 8).T[:width]
    body = np.packbits(mask).tobytes() + planes.tobytes()
    return lzma.compress(canonical_json(head).encode() + b"\n" + body, preset=_PRESET)


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
    counts = _counts(stream, int(head["cells"]), len(names), int(head["bytes"]))
    return Images.of(names, told.with_right(counts) if told else counts)


def _counts(stream: _Stream, cells: int, images: int, width: int) -> Sparse:
    """What follows the head of a block."""
    if not 0 <= cells * images <= _CELLS or not 0 <= width <= 8:
        raise ValueError(f"{cells} cells of {images} images in {width} bytes")
    mask = np.frombuffer(stream.read(-(-cells * images // 8)), np.uint8)
    filled = int(np.bitwise_count(mask).sum())
    if filled > _FILLED:
        raise ValueError(f"{filled} counts")
    planes = np.frombuffer(stream.read(width * filled), np.uint8)
    stream.end()
    cell, image = np.nonzero(np.unpackbits(mask, count=cells * images).reshape(cells, images))
    count = np.zeros((len(cell), 8), np.uint8)
    count[:, :width] = planes.reshape(width, len(cell)).T
    return image, cell, count.view("<u8")[:, 0].astype(np.uint64)


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
