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
from numpy.typing import NDArray

from segmodels.core.files import canonical_json
from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.labels import Labels

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
    images = images if labels is None else labels.without_right(images)
    image = np.repeat(np.arange(len(images)), [len(one.cells) for one in images])
    cell = np.array([number for one in images for number in one.cells], dtype=np.int64)
    count = np.array([number for one in images for number in one.counts], dtype="<u8")
    order = np.lexsort((image, cell))
    mask = np.zeros((cells, len(images)), dtype=bool)
    mask[cell, image] = True
    width = (int(count.max(initial=0)).bit_length() + 7) // 8
    names = [one.image for one in images] if labels is None else None
    head = {"bytes": width, "cells": cells, "images": names}
    planes = count[order].view(np.uint8).reshape(-1, 8).T[:width]
    body = np.packbits(mask).tobytes() + planes.tobytes()
    return lzma.compress(canonical_json(head).encode() + b"\n" + body, preset=_PRESET)


def unpack(block: bytes, labels: Labels | None = None) -> list[ImageCounts]:
    """The counts of a block, packed with these labels or without any.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    first, _, body = _decompressed(block).partition(b"\n")
    head = json.loads(first)
    told = None if head["images"] else labels
    names = list(told.images if told else head["images"])
    cells, width = int(head["cells"]), int(head["bytes"])
    size = -(-cells * len(names) // 8)
    if not 0 <= size <= len(body):
        raise ValueError(f"{len(body)} bytes for {cells} cells of {len(names)} images")
    bits = np.unpackbits(np.frombuffer(body[:size], np.uint8), count=cells * len(names))
    mask = bits.reshape(cells, len(names)).astype(bool)
    cell, image = np.nonzero(mask)
    if len(body) != size + width * len(cell) or not 0 <= width <= 8:
        raise ValueError(f"{len(body)} bytes for {len(cell)} counts")
    count = np.zeros((len(cell), 8), np.uint8)
    count[:, :width] = np.frombuffer(body[size:], np.uint8).reshape(width, len(cell)).T
    order = np.argsort(image, kind="stable")
    images = _by_image(names, cell[order], count.view("<u8")[order, 0], mask.sum(axis=0))
    return told.with_right(images) if told else images


def _by_image(
    names: Sequence[str],
    cells: NDArray[np.int64],
    counts: NDArray[np.uint64],
    lengths: NDArray[np.int64],
) -> list[ImageCounts]:
    """Cells and counts, sorted by image, cut into images."""
    ends = np.cumsum(lengths).tolist()
    all_cells, all_counts = cells.tolist(), counts.tolist()
    return [
        ImageCounts(name, tuple(all_cells[start:end]), tuple(all_counts[start:end]))
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
