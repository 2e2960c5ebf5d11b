"""Stand-ins for what a pickle asks to be built: nothing of a framework's, the bytes of an array."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

#: Numbers that both NumPy and PyTorch have; not objects, text, dates or records.
NUMBERS = re.compile(r"b1|[iu][1248]|f[248]|c(8|16)")


class Inert:
    """Stands for an object of a class that is not loaded; keeps nothing."""

    def __new__(cls, *_: Any) -> Inert:
        """The arguments would have built the object."""
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        """The state would have become attributes."""


class ArrayType(Inert):
    """Stands for NumPy's type of numbers; keeps its code and the order of bytes."""

    code, order = "", "="

    def __init__(self, *values: Any) -> None:
        self.code = values[0] if values and isinstance(values[0], str) else ""

    def __setstate__(self, state: Any) -> None:
        """Of the state only the order of bytes: ``<``, ``>``, or ``|`` for single bytes."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|"):
            self.order = state[1]


class Array(Inert):
    """Stands for an array of NumPy; keeps shape, type and bytes as the file has them."""

    shape: Any = ()
    kind: Any = None
    data: Any = b""
    by_columns: bool = False

    def __setstate__(self, state: Any) -> None:
        """State as NumPy writes it: version, shape, type, order of axes, bytes."""
        if isinstance(state, tuple) and len(state) == 5:
            _, self.shape, self.kind, by_columns, self.data = state
            self.by_columns = by_columns is True or by_columns == 1

    def tensor(self) -> Tensor:
        """The numbers, copied.

        Raises:
            ValueError: it holds something else, or its bytes do not fill its shape.
        """
        kind = self.kind
        if not isinstance(kind, ArrayType) or not NUMBERS.fullmatch(kind.code):
            code = kind.code if isinstance(kind, ArrayType) else "unknown"
            raise ValueError(f"an array of NumPy that holds no plain numbers (type {code!r})")
        sides = self.shape if isinstance(self.shape, tuple) else (-1,)
        whole = all(isinstance(side, int) and side >= 0 for side in sides)
        stored = isinstance(self.data, (bytes, bytearray))
        number = np.dtype(kind.order + kind.code)
        if not whole or not stored or math.prod(sides) * number.itemsize != len(self.data):
            raise ValueError("an array of NumPy whose bytes do not fill its shape")
        values = np.frombuffer(self.data, number).reshape(
            sides, order="F" if self.by_columns else "C"
        )
        return torch.from_numpy(values.astype(number.newbyteorder("=")).copy())


def _empty(*_: Any) -> Array:
    """NumPy's ``_reconstruct``: an empty array, which gets its state next."""
    return Array()


def _scalar(*values: Any) -> Array:
    """NumPy's ``scalar``: a type and the bytes of one number."""
    array = Array()
    array.kind, array.data = (*values, None, None)[:2]
    return array


def _from_buffer(*values: Any) -> Array:
    """NumPy's ``_frombuffer`` of protocol 5: bytes, type, shape, order of axes."""
    array = Array()
    array.data, array.kind, array.shape, order = (*values, None, None, None, None)[:4]
    array.by_columns = order == "F"
    return array


def _names(module: str, name: str) -> tuple[str, str]:
    """Before and since NumPy 2."""
    return f"numpy.core.{module}.{name}", f"numpy._core.{module}.{name}"


#: What a pickle with arrays asks for, and what it gets.
NUMPY: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": Array,
    "numpy.dtype": ArrayType,
    **dict.fromkeys(_names("multiarray", "_reconstruct"), _empty),
    **dict.fromkeys(_names("multiarray", "scalar"), _scalar),
    **dict.fromkeys(_names("numeric", "_frombuffer"), _from_buffer),
}
