"""Blocks: consecutive images whose counts are kept as one sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class Blocks:
    """How many images each sum is of, and what told their counts apart.

    The sum stands at the first image of its block, and the others have no counts.

    Attributes:
        sizes: images of each block, in the order of the images.
        images_sha256: hex SHA-256 of the lines that every image had of its own
            (`segmodels.evidence.head.counts_text`): who counts again finds out whether all of
            them are the same.
    """

    sizes: tuple[int, ...]
    images_sha256: str

    @property
    def first(self) -> tuple[int, ...]:
        """Place of the first image of each block."""
        return starts(self.sizes)


def starts(sizes: Sequence[int]) -> tuple[int, ...]:
    """Where blocks of these sizes begin."""
    return tuple(accumulate(sizes[:-1], initial=0)) if sizes else ()


def common(every: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Sizes of the smallest blocks that are whole blocks of each of these, over the same images.

    Raises:
        ValueError: they are of another number of images, or there are none.
    """
    first, *others = (tuple(accumulate(sizes)) for sizes in every)
    if any(ends[-1:] != first[-1:] for ends in others):
        raise ValueError("blocks of another number of images")
    ends = sorted(set(first).intersection(*others))
    return tuple(end - start for start, end in zip([0, *ends], ends, strict=False))
