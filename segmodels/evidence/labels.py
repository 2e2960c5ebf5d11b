"""What all conditions of an image share: how many of its pixels have which label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segmodels.evidence.image_counts import ImageCounts


@dataclass(frozen=True)
class Labels:
    """Pixels of each label, void last, in each image; and the columns of the matrices they sum up.

    A network that meets the same images under another condition predicts otherwise, but the rows
    of its matrices keep their sums. So one cell of a row need not be written down: the one of the
    pixels it got right, which mostly is the largest.
    """

    images: tuple[str, ...]
    pixels: tuple[tuple[int, ...], ...]
    outputs: int

    @classmethod
    def of(cls, images: Sequence[ImageCounts], rows: int, outputs: int) -> Labels:
        """Sum up the rows of sound counts, whose matrices are `(rows, outputs)`."""
        pixels = tuple(tuple(_sums(one, rows, outputs)) for one in images)
        return cls(tuple(one.image for one in images), pixels, outputs)

    def without_right(self, images: Sequence[ImageCounts]) -> list[ImageCounts]:
        """Counts without those of the right pixels."""
        return [self._without(one) for one in images]

    def with_right(self, images: Sequence[ImageCounts]) -> list[ImageCounts]:
        """The counts that `without_right` was given.

        Raises:
            ValueError: these are other images, or have more wrong pixels than pixels.
        """
        if tuple(one.image for one in images) != self.images:
            raise ValueError("counts of other images than those before")
        return [self._with(*both) for both in zip(images, self.pixels, strict=True)]

    def _without(self, one: ImageCounts) -> ImageCounts:
        cells = zip(one.cells, one.counts, strict=True)
        return _image(one.image, {cell: n for cell, n in cells if not self._is_right(cell)})

    def _with(self, one: ImageCounts, pixels: Sequence[int]) -> ImageCounts:
        if one.cells and one.cells[-1] >= len(pixels) * self.outputs:
            raise ValueError(f"{one.image}: counts of a label that the conditions before lack")
        wrong = _sums(one, len(pixels), self.outputs)
        right = [whole - part for whole, part in zip(pixels, wrong, strict=True)]
        if min(right, default=0) < 0 or any(right[self.outputs :]):
            raise ValueError(f"{one.image}: its counts do not add up to its labels")
        cells = dict(zip(one.cells, one.counts, strict=True))
        found = {row * self.outputs + row: n for row, n in enumerate(right) if n}
        return _image(one.image, {**cells, **found})

    def _is_right(self, cell: int) -> bool:
        row, column = divmod(cell, self.outputs)
        return row == column


def _sums(one: ImageCounts, rows: int, outputs: int) -> list[int]:
    sums = [0] * rows
    for cell, n in zip(one.cells, one.counts, strict=True):
        sums[cell // outputs] += n
    return sums


def _image(name: str, cells: Mapping[int, int]) -> ImageCounts:
    ascending = sorted(cells)
    return ImageCounts(name, tuple(ascending), tuple(cells[cell] for cell in ascending))
