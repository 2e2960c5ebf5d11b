"""What all conditions of an image share: how many of its pixels have which label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmodels.evidence.images import Sparse


@dataclass(frozen=True)
class Labels:
    """Pixels of each label, void last, in each image, and the columns of the matrices they sum up.

    A network that meets the same images under another condition predicts otherwise, but the rows
    of its matrices keep their sums. So one cell of a row need not be written down: the one of the
    pixels it got right, which mostly is the largest.

    Attributes:
        images: their names, I of them.
        pixels: (I, rows) of each label.
        outputs: columns of a matrix.
    """

    images: tuple[str, ...]
    pixels: NDArray[np.int64]
    outputs: int

    @classmethod
    def of(cls, images: tuple[str, ...], counts: Sparse, rows: int, outputs: int) -> Labels:
        """Sum up the rows of matrices, which are `(rows, outputs)`."""
        return cls(images, _sums(counts, (len(images), rows), outputs), outputs)

    def same(self, other: Labels) -> bool:
        """Whether another suite of images has the same labels."""
        known = (self.images, self.outputs) == (other.images, other.outputs)
        return known and np.array_equal(self.pixels, other.pixels)

    def without_right(self, counts: Sparse) -> Sparse:
        """Counts without those of the right pixels."""
        row, column = np.divmod(counts[1], self.outputs)
        image, cell, count = (part[row != column] for part in counts)
        return image, cell, count

    def with_right(self, counts: Sparse) -> Sparse:
        """The counts that `without_right` was given.

        Raises:
            ValueError: these have other labels, or more wrong pixels than pixels.
        """
        image, cell, count = counts
        if cell.max(initial=0) >= self.pixels.shape[1] * self.outputs:
            raise ValueError("counts of labels that the condition before lacks")
        right = self.pixels - _sums(counts, self.pixels.shape, self.outputs)
        if right.min(initial=0) < 0 or right[:, self.outputs :].any():
            raise ValueError("counts that do not add up to the labels of the condition before")
        of_image, row = np.nonzero(right)
        return (
            np.concatenate([image, of_image]),
            np.concatenate([cell, row * self.outputs + row]),
            np.concatenate([count, right[of_image, row].astype(np.uint64)]),
        )


def _sums(counts: Sparse, shape: tuple[int, int], outputs: int) -> NDArray[np.int64]:
    image, cell, count = counts
    sums = np.zeros(shape, np.int64)
    np.add.at(sums, (image, cell // outputs), count.astype(np.int64))
    return sums
