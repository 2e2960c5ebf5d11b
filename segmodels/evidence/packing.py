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
from segmodels.evidence.labels import Labels, Sparse

#: Bytes of a block; ten thousand images of 200 classes take half of that.
_MOST = 2**31
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
    counts = _sparse(images)
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
    return Labels.of(tuple(one.image for one in images), _sparse(images), rows, outputs)


def unpack(block: bytes, labels: Labels | None = None) -> list[ImageCounts]:
    """The counts of a block, packed with these labels or without any.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    first, _, body = _decompressed(block).partition(b"\n")
    head = json.loads(first)
    told = None if head["images"] else labels
    names = list(told.images if told else head["images"])
    counts = _counts(body, int(head["cells"]), len(names), int(head["bytes"]))
    return _by_image(names, told.with_right(counts) if told else counts)


def _sparse(images: Sequence[ImageCounts]) -> Sparse:
    return (
        np.repeat(np.arange(len(images)), [len(one.cells) for one in images]),
        np.array([number for one in images for number in one.cells], dtype=np.int64),
        np.array([number for one in images for number in one.counts], dtype=np.uint64),
    )


def _counts(body: bytes, cells: int, images: int, width: int) -> Sparse:
    """What follows the head of a block."""
    size = -(-cells * images // 8)
    if not 0 <= size <= len(body):
        raise ValueError(f"{len(body)} bytes for {cells} cells of {images} images")
    bits = np.unpackbits(np.frombuffer(body[:size], np.uint8), count=cells * images)
    cell, image = np.nonzero(bits.reshape(cells, images))
    if len(body) != size + width * len(cell) or not 0 <= width <= 8:
        raise ValueError(f"{len(body)} bytes for {len(cell)} counts")
    count = np.zeros((len(cell), 8), np.uint8)
    count[:, :width] = np.frombuffer(body[size:], np.uint8).reshape(width, len(cell)).T
    return image, cell, count.view("<u8")[:, 0].astype(np.uint64)


def _by_image(names: Sequence[str], counts: Sparse) -> list[ImageCounts]:
    """Counts, cut into images."""
    image, cell, count = counts
    order = np.lexsort((cell, image))
    ends = np.cumsum(np.bincount(image, minlength=len(names))).tolist()
    cells, numbers = cell[order].tolist(), count[order].tolist()
    return [
        ImageCounts(name, tuple(cells[start:end]), tuple(numbers[start:end]))
        for name, start, end in zip(names, [0, *ends], ends, strict=False)
    ]


def _decompressed(block: bytes) -> bytes:
    """What one xz stream holds (ValueError if it is broken, or more or less than one)."""
    stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
    try:
        found = stream.decompress(block, _MOST)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None
    if not stream.eof or stream.unused_data:
        raise ValueError("not one xz stream")
    return found
