"""One matrix of small whole numbers out of a MATLAB 5 file. Nothing else of the format."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Pixels
from segmodels.datasets.reading.packed import AnyPath
from segmodels.errors import SegmodelsError, UnreadableError

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15

#: Bytes that a packed matrix may unpack to; a label map of 8192 x 8192 has 2**26.
_LARGEST = 2**30

_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}


def read_matrix(path: AnyPath, name: str) -> Pixels:
    """The matrix of a name, whatever type of number it is stored in.

    Source of the format: "MAT-File Format", The MathWorks.

    Returns:
        uint8, the shape of the matrix.

    Raises:
        SegmodelsError: the file is missing or damaged, has no such matrix, or numbers in it are
            not whole and within 0..255.
    """
    try:
        content = path.read_bytes()
        found = next((m for label, m in _matrices(content) if label == name), None)
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: missing. Unpack the archive again.") from None
    except (OSError, struct.error, zlib.error, ValueError, KeyError, IndexError) as error:
        problem = f"cannot be decoded as a MATLAB 5 file ({error})"
        raise UnreadableError(path, problem, "Unpack the archive again.") from None
    if found is None:
        raise SegmodelsError(f"{path}: holds no matrix {name!r}; another kind of MATLAB file.")
    narrow = found.astype(np.uint8)
    if not np.array_equal(narrow, found):
        raise SegmodelsError(f"{path}: matrix {name!r} is no label map (numbers beyond 0..255).")
    return narrow


def _matrices(content: bytes) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    """Name and content of every two-dimensional numeric matrix at the top of a file."""
    if len(content) < _HEADER or content[126:128] != b"IM":
        raise ValueError("no little-endian MATLAB 5 header")
    for kind, data in _elements(content[_HEADER:]):
        unpacked = [(kind, data)] if kind != _COMPRESSED else _elements(_inflated(data))
        for inner, matrix in unpacked:
            if inner == _MATRIX:
                yield from _matrix(matrix)


def _inflated(data: bytes) -> bytes:
    """What a packed element holds; no label map has more bytes than are taken."""
    stream = zlib.decompressobj()
    found = stream.decompress(data, _LARGEST)
    if not stream.eof:
        raise ValueError(f"a packed matrix is cut short, or of more than {_LARGEST} bytes")
    return found


def _matrix(data: bytes) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
    parts = list(_elements(data))
    if len(parts) != 4:  # flags, shape, name, real numbers; others are text, cells or structures
        return
    (_, _), (_, shape), (_, name), (kind, numbers) = parts
    rows, columns, *more = np.frombuffer(shape, "<i4").tolist()
    if kind in _TYPES and not more:
        values = np.frombuffer(numbers, "<" + _TYPES[kind])
        yield name.decode("ascii"), values.reshape((rows, columns), order="F")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of the elements of a buffer; small ones share their first word."""
    at = 0
    while at + 8 <= len(data):
        (first,) = struct.unpack_from("<I", data, at)
        if first >> 16:
            yield first & 0xFFFF, data[at + 4 : at + 4 + (first >> 16)]
            at += 8
            continue
        (size,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + size > len(data):
            raise ValueError("the file ends too early")
        yield first, data[at + 8 : at + 8 + size]
        # Compressed elements are not padded to eight bytes, all others are.
        at += 8 + size + (-size % 8 if first != _COMPRESSED else 0)
