"""How the numbers in a label file become classes. One table per way of writing labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import VOID, Counts, Pixels
from segmodels.datasets.reading.packed import AnyPath
from segmodels.errors import SegmodelsError

#: OpenCV hands counts over as float32, exact up to here; it is ten times faster than bincount.
_EXACT = 2**24

#: What a dataset knows about numbers that do not belong: the values found -> what they tell.
Hint = Callable[[frozenset[int]], str]


@dataclass(frozen=True)
class Encoding:
    """A table from stored numbers to classes.

    Attributes:
        title: for messages, such as `labelIds`.
        table: uint8 (256,), the class of each stored number, or `VOID`.
        known: bool (256,), which stored numbers may occur.
    """

    title: str
    table: Pixels
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, title: str, classes: Mapping[int, int], void: Iterable[int] = ()) -> Encoding:
        """From a mapping of stored numbers to classes, and the numbers that mean void."""
        table = np.full(256, VOID, dtype=np.uint8)
        known = np.zeros(256, dtype=np.bool_)
        for stored, index in classes.items():
            table[stored], known[stored] = index, True
        known[list(void)] = True
        return cls(title, table, known)

    def decode(self, path: AnyPath, stored: Pixels, hint: Hint) -> Pixels:
        """Classes of stored numbers.

        Args:
            path: of the label file, for messages.
            stored: uint8 (H, W); not changed.
            hint: says what wrong numbers tell, given every number that occurs.

        Returns:
            uint8 (H, W), classes and `VOID`.

        Raises:
            SegmodelsError: a number occurs that this encoding does not have.
        """
        found = values(stored)
        if strays := sorted(value for value in found if not self.known[value]):
            listed = ", ".join(map(str, strays[:5]))
            raise SegmodelsError(
                f"{path}: label {listed} is none of the {self.title}. {hint(found)}"
            )
        return self.table[stored]


def values(stored: Pixels) -> frozenset[int]:
    """The numbers that occur in a label file."""
    return frozenset(np.flatnonzero(value_counts(stored)).tolist())


def value_counts(stored: Pixels) -> Counts:
    """How often each number occurs: int64 (256,) of uint8; of uint16 as long as is needed."""
    if stored.dtype.itemsize > 1:
        return np.bincount(stored.reshape(-1)).astype(np.int64)
    flat, counts = np.ascontiguousarray(stored).reshape(-1), np.zeros(256, dtype=np.int64)
    for start in range(0, flat.size, _EXACT):
        piece = flat[start : start + _EXACT]
        counts += cv2.calcHist([piece], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return counts


def contiguous(title: str, number: int, first: int = 0, void: Iterable[int] = (VOID,)) -> Encoding:
    """`number` classes, stored one after the other from `first` on."""
    return Encoding.of(title, {first + index: index for index in range(number)}, void)
