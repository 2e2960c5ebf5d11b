"""Counts of every image in few bytes: what `<key>.counts.jsonl` says, for files that git keeps.

A block is an xz stream of one line of JSON (names of the images, cells of a matrix, bytes of the
largest count), then a bit for each cell of each image, then the counts that are not zero: first
their lowest bytes, then the next ones (`segmodels.evidence.stream`). Cells of one name lie beside
each other, because their counts are alike. That takes 14 to 28 kB for 233 images of 11
classes, where the lines take 76 to 167 and, compressed, 25 (bz2) to 29 (zlib) on average.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segmodels.evidence.image_counts import ImageCounts
from segmodels.evidence.images import Images
from segmodels.evidence.labels import Labels
from segmodels.evidence.stream import Stream, filled, packed


def pack(images: Sequence[ImageCounts], cells: int) -> bytes:
    """Counts of all images as one block.

    Args:
        images: sound ones: their cells ascend, and no count is zero.
        cells: of the whole matrix of an image, `(classes + 1) * outputs`.
    """
    names, (image, cell, count) = [one.image for one in images], Images(images).sparse
    head, body = filled(cell * len(names) + image, count, cells * len(names))
    return packed({**head, "cells": cells, "images": names}, body)


def unpack(block: bytes, labels: Labels | None = None) -> Images:
    """The counts of a block.

    Args:
        block: of `pack`.
        labels: of the images of a block that leaves out their names and right pixels, as bundles
            of an earlier form do.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    stream = Stream(block)
    head = stream.head()
    told = None if head["images"] else labels
    names = list(told.images if told else head["images"])
    place, count = stream.filled(head, int(head["cells"]) * len(names))
    cell, image = np.divmod(place, max(1, len(names)))
    counts = image, cell, count
    return Images.of(names, told.with_right(counts) if told else counts)
