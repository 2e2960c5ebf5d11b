"""The counts of all images of a piece of evidence: a sequence of them, and as three arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from segmodels.core.files import canonical_json
from segmodels.evidence.image_counts import ImageCounts

#: Counts of many images, each in three arrays of the same length: image, cell, count.
Sparse = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]


class Images(Sequence[ImageCounts]):
    """Counts of images in their order, made of either form; the other is made when it is asked for.

    Judging reads a million counts, and needs them one by one only to tell what is wrong.

    Args:
        items: an entry per image.
    """

    #: Whether counts came as arrays: then they are whole numbers, and those of an image together.
    _ordered = False

    def __init__(self, items: Sequence[ImageCounts]) -> None:
        if isinstance(items, Images):
            vars(self).update(vars(items))
        else:
            self.items = tuple(items)

    @classmethod
    def of(cls, names: Sequence[str], counts: Sparse) -> Images:
        """From arrays in any order."""
        made = cls.__new__(cls)
        image, cell, count = counts
        order = np.lexsort((cell, image))
        made.names, made.sparse = tuple(names), (image[order], cell[order], count[order])
        made._ordered = True
        return made

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the images."""
        return tuple(one.image for one in self.items)

    @cached_property
    def sparse(self) -> Sparse:
        """The counts by image, then cell (TypeError or ValueError if they are no whole numbers)."""
        return (
            np.repeat(np.arange(len(self.items)), [len(one.cells) for one in self.items]),
            np.array([number for one in self.items for number in one.cells], dtype=np.int64),
            np.array([n for one in self.items for n in one.counts], np.int64).astype(np.uint64),
        )

    @cached_property
    def items(self) -> tuple[ImageCounts, ...]:
        """An entry per image."""
        cells, counts = self.sparse[1].tolist(), self.sparse[2].tolist()
        return tuple(
            ImageCounts(name, tuple(cells[start:end]), tuple(counts[start:end]))
            for name, start, end in self._places
        )

    @property
    def _places(self) -> Iterator[tuple[str, int, int]]:
        """Each image with where its counts begin and end."""
        ends = np.cumsum(np.bincount(self.sparse[0], minlength=len(self.names))).tolist()
        yield from zip(self.names, [0, *ends], ends, strict=False)

    def text(self) -> bytes:
        """The lines of `<key>.counts.jsonl`."""
        if not self._ordered:
            return "".join(one.to_line() + "\n" for one in self.items).encode()
        cells, counts = map(self._written, self.sparse[1:])
        lines = zip(cells, counts, map(canonical_json, self.names), strict=True)
        return "".join(
            f'{{"cells":[{cell}],"counts":[{count}],"image":{name}}}\n'
            for cell, count, name in lines
        ).encode()

    def _written(self, numbers: NDArray[Any]) -> list[str]:
        """The numbers of each image as JSON without brackets; one call, as many cost more."""
        every = numbers.tolist()
        text = canonical_json([every[start:end] for _, start, end in self._places])
        return text[2:-2].split("],[") if len(self) else []

    def are_within(self, cells: int, most: int) -> bool:
        """Whether arrays hold cells that ascend below a number, and counts from 1 to `most`.

        False also where there are no arrays: then each entry has to be looked at.
        """
        if not self._ordered:
            return False
        image, cell, count = self.sparse
        again = (np.diff(image) == 0) & (np.diff(cell) <= 0)
        inside = cell.min(initial=0) >= 0 and cell.max(initial=0) < cells
        return bool(inside and not again.any() and ((count >= 1) & (count <= most)).all())

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> ImageCounts: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[ImageCounts, ...]: ...
    def __getitem__(self, at: int | slice) -> ImageCounts | tuple[ImageCounts, ...]:
        return self.items[at]

    def __iter__(self) -> Iterator[ImageCounts]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Images) and self._ordered and other._ordered:
            pairs = zip(self.sparse, other.sparse, strict=True)
            return self.names == other.names and all(np.array_equal(a, b) for a, b in pairs)
        return self.items == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.names, *(part.tobytes() for part in self.sparse)))
