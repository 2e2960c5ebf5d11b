"""Adding up: evidence in blocks of images, and comparing it with that of every image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from segmodels.evidence.blocks import Blocks, common, starts
from segmodels.evidence.images import Images, Sparse
from segmodels.evidence.record import Evidence


def in_blocks(evidence: Evidence, sizes: Sequence[int]) -> Evidence:
    """The same evidence with one sum for each block of consecutive images.

    Identity, names of the images and the total stay as they are.

    Args:
        evidence: of every image, or in blocks of which these are made.
        sizes: images of each block, in order.

    Raises:
        ValueError: blocks are empty, are of another number of images, or cut those that the
            evidence is in.
    """
    own = sizes_of(evidence)
    if min(sizes, default=1) < 1 or common([own, sizes]) != tuple(sizes):
        raise ValueError(f"{len(own)} counts cannot be added up in {len(sizes)} blocks")
    blocks = Blocks(tuple(sizes), images_sha256(evidence))
    images = Images.of(evidence.names, _sums(evidence.sparse, starts(sizes)))
    return replace(evidence, images=images, blocks=blocks)


def _sums(counts: Sparse, first: Sequence[int]) -> Sparse:
    """Counts of each cell from each of these places to the next, without zeros between them.

    Cells of all blocks would be many where a matrix is large: a million of each for ImageNet.
    """
    image, cell, count = counts
    places = np.array(first, np.int64)
    width = int(cell.max(initial=0)) + 1
    place = (np.searchsorted(places, image, side="right") - 1) * width + cell
    order = np.argsort(place, kind="stable")  # quick, as those of an image ascend already
    first_of = np.flatnonzero(np.diff(place[order], prepend=-1))
    place = place[order][first_of]
    sums = np.add.reduceat(count[order], first_of) if len(place) else count
    return places[place // width], place % width, sums


def alike(evidences: Iterable[Evidence]) -> list[Evidence]:
    """All of them in the smallest blocks that each can be brought into; as they are without any.

    Raises:
        ValueError: they are of another number of images.
    """
    every = list(evidences)
    if all(one.blocks is None for one in every):
        return every
    sizes = common(map(sizes_of, every))
    return [in_blocks(one, sizes) for one in every]


def same_counts(a: Evidence, b: Evidence) -> bool:
    """Whether two pieces have the same counts of every image, as far as both of them tell.

    Where one is in blocks its sums are compared, and the digest of what was added up.
    """
    if a.blocks is None and b.blocks is None:
        return a.images == b.images
    if a.names != b.names or images_sha256(a) != images_sha256(b):
        return False
    one, other = alike([a, b])
    return one.images == other.images


def finest(found: Iterable[Evidence]) -> Evidence | None:
    """The first of several copies, or of its counts the copy with the fewest images to a sum.

    No more of them is read than is needed: nothing after a first one of single images.
    """
    copies = iter(found)
    first = next(copies, None)
    if first is None or first.blocks is None:
        return first
    same = [one for one in copies if one.key == first.key and same_counts(first, one)]
    return max([first, *same], key=lambda one: len(sizes_of(one)))


def images_sha256(evidence: Evidence) -> str:
    """Hex SHA-256 of the lines of counts that every image has, or had, of its own."""
    if evidence.blocks is not None:
        return evidence.blocks.images_sha256
    return hashlib.sha256(Images(evidence.images).text()).hexdigest()


def images_of_each(evidence: Evidence) -> tuple[int, ...]:
    """How many images the counts that stand at each image are of."""
    return tuple(part for size in sizes_of(evidence) for part in (size, *(0,) * (size - 1)))


def sizes_of(evidence: Evidence) -> tuple[int, ...]:
    """Images that each sum of its counts is of; ones where every image has its own."""
    return evidence.blocks.sizes if evidence.blocks else (1,) * len(evidence.names)
