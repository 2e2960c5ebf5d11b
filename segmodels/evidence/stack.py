"""A stack: counts of the same images under several conditions, in few bytes.

It is one xz stream (`segmodels.evidence.stream`): names of the images, pixels of each label in each
of them, and counts. One cell of one image has its counts under all conditions side by side, because
they are alike: they take a fifth to a third less than condition by condition. The right pixels are
left out. They are what is left of a label's pixels, which no condition changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from segmodels.evidence.images import Images, Sparse
from segmodels.evidence.labels import Labels
from segmodels.evidence.stream import Stream, filled, packed, planes, width_of

#: Conditions times images times labels: of each of these, the right pixels have to be found.
_MOST = 2**28


def fit(conditions: int, labels: Labels) -> bool:
    """Whether so many conditions can be one stack; one always can."""
    return conditions < 2 or conditions * max(1, labels.pixels.size) <= _MOST


def pack_stack(conditions: Sequence[Images], labels: Labels) -> bytes:
    """Counts under several conditions as one block.

    Args:
        conditions: sound counts of the images, one entry for each condition.
        labels: of these images, under every condition.
    """
    held, number = _held(labels), len(conditions)
    rank = np.cumsum(held) - 1
    every = [labels.without_right(images.sparse) for images in conditions]
    places = [
        (cell * held.sum() + rank[image]) * number + condition
        for condition, (image, cell, _) in enumerate(every)
    ]
    place = np.concatenate([np.empty(0, np.int64), *places])
    count = np.concatenate([np.empty(0, np.uint64), *(count for _, _, count in every)])
    counts, body = filled(place, count, _cells(labels) * int(held.sum()) * number)
    pixels = labels.pixels.T.ravel()
    head = {
        "conditions": number,
        "images": list(labels.images),
        "outputs": labels.outputs,
        "pixels": width_of(pixels),
        "rows": labels.pixels.shape[1],
        **counts,
    }
    return packed(head, planes(pixels, head["pixels"]) + body)


def unpack_stack(block: bytes) -> tuple[Images, ...]:
    """The counts of a stack, an entry for each condition.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    stream = Stream(block)
    head = stream.head()
    names, number = tuple(head["images"]), int(head["conditions"])
    shape = int(head["rows"]), len(names)
    pixels = stream.numbers(int(head["pixels"]), shape[0] * shape[1]).astype(np.int64)
    labels = Labels(names, pixels.reshape(shape).T, int(head["outputs"]))
    if not fit(number, labels):
        raise ValueError(f"{number} conditions")
    held = np.flatnonzero(_held(labels))
    place, count = stream.filled(head, _cells(labels) * len(held) * number)
    rest, condition = np.divmod(place, max(1, number))
    cell, rank = np.divmod(rest, max(1, len(held)))
    counts = held[rank], cell, count
    return tuple(
        Images.of(names, labels.with_right(own)) for own in _parts(counts, condition, number)
    )


def _held(labels: Labels) -> NDArray[np.bool_]:
    """Which images have pixels: of a block, the first alone."""
    held: NDArray[np.bool_] = labels.pixels.sum(axis=1) > 0
    return held


def _cells(labels: Labels) -> int:
    """How many a matrix has."""
    return int(labels.pixels.shape[1]) * labels.outputs


def _parts(counts: Sparse, of: NDArray[np.int64], number: int) -> Iterator[Sparse]:
    """The counts that belong to 0, to 1, and so on."""
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=number))
    image, cell, count = (np.split(part[order], ends[:-1]) for part in counts)
    yield from zip(image, cell, count, strict=True)
