"""Arguments of public functions: each check returns what is right, or names what is wrong.

The annotations say the same to type checkers; these say it to notebooks, in one line:
`argument 'num_classes': expected a whole number of at least 1, found '5'.`
"""

from __future__ import annotations

import errno
import operator
import os
from pathlib import Path
from reprlib import Repr
from typing import TYPE_CHECKING, Any, TypeVar

from segmodels.errors import SegmodelsError

if TYPE_CHECKING:
    from segmodels.core.arrays import Counts, Pixels

Kind = TypeVar("Kind")

#: Counts, seeds and labels are kept in 64 bits.
LARGEST = 2**63 - 1
SMALLEST = -(2**63)

#: More classes than any dataset has; the matrix of these takes gigabytes.
MOST_CLASSES = 2**15

#: What only says that there is no such file: those who read it say so in better words.
_ABSENT = (errno.ENOENT, errno.ENOTDIR)

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def wrong(name: str, expected: str, value: object, fix: str = "") -> SegmodelsError:
    """The error of an argument that is not what was expected."""
    found = f"argument {name!r}: expected {expected}, found {described(value)}."
    return SegmodelsError(f"{found} {fix}".rstrip())


def described(value: object) -> str:
    """A value, short: of an array or tensor its type and shape."""
    if value is None:
        return "None"
    kind, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if kind is not None and isinstance(shape, tuple):
        return f"{kind} {tuple(shape)}"
    if isinstance(value, str | bytes | bool | int | float):
        return _SHORT.repr(value)
    text = f"{type(value).__name__} {_SHORT.repr(value)}"
    return " ".join(text.split())[:100]


def whole(name: str, value: Any, least: int = SMALLEST, most: int = LARGEST) -> int:
    """A whole number, of Python or NumPy, within bounds; true and false are none."""
    if isinstance(value, bool) or getattr(value, "ndim", None):
        raise wrong(name, _whole_within(least, most), value)
    try:
        number = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        raise wrong(name, _whole_within(least, most), value) from None
    if not least <= number <= most:
        raise wrong(name, _whole_within(least, most, number), value)
    return number


def _whole_within(least: int, most: int, number: int = 0) -> str:
    """Bounds in words; those of 64 bits only of a number beyond them, as nobody else meets them."""
    lower = [f"at least {least}"] if least != SMALLEST or number < least else []
    upper = [f"at most {most}"] if most != LARGEST or number > most else []
    within = " and ".join(lower + upper)
    return "a whole number" + (f" of {within}" if within else "")


def words(name: str, value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise wrong(name, "text", value)
    return value


def path_to(name: str, value: Any) -> Path:
    """A path, given as text or as one; there need be nothing, but the system must know its name."""
    if not isinstance(value, str | os.PathLike) or "\0" in str(value) or str(value) == "":
        raise wrong(name, "a path", value)
    try:
        path = Path(value)
        path.stat()
    except OSError as error:
        if error.errno not in _ABSENT:
            raise SegmodelsError(f"argument {name!r}: {value}: {error.strerror}.") from None
    except (TypeError, ValueError):
        raise wrong(name, "a path", value) from None
    return path


def an(kind: type[Kind], name: str, value: Any, how: str = "") -> Kind:
    """An object of a class.

    Args:
        kind: the class.
        name: of the argument.
        value: the argument.
        how: where one comes from, as in `load_protocol`.
    """
    if not isinstance(value, kind):
        raise wrong(name, f"a {kind.__name__}{how and f' (of {how})'}", value)
    return value


def rgb(name: str, value: Any) -> Pixels:
    """An image with at least a pixel, uint8 (H, W, 3); an RGB image of Pillow is one."""
    import numpy as np
    from PIL import Image

    expected = "an image, uint8 (H, W, 3), RGB"
    if isinstance(value, Image.Image):
        if value.mode != "RGB":
            raise wrong(name, expected, value, "Convert it: image.convert('RGB').")
        value = np.asarray(value)
    if isinstance(value, np.ma.MaskedArray):
        raise wrong(name, f"{expected}, no mask", value, "Fill what is masked: image.filled(0).")
    right = isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3
    if not right or value.shape[2] != 3 or not value.size:
        raise wrong(name, expected, value)
    pixels: Pixels = np.ascontiguousarray(value)
    return pixels


def matrix(name: str, value: Any) -> Counts:
    """A confusion matrix (C, C) of counts, from an array, a tensor or lists; at least one class."""
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        raise wrong(name, "a confusion matrix (C, C) without a mask", value)
    try:
        found = np.asarray(value.cpu() if hasattr(value, "cpu") else value)
    except (TypeError, ValueError, RuntimeError):
        raise wrong(name, "a confusion matrix (C, C) of whole numbers", value) from None
    square = found.ndim == 2 and found.shape[0] == found.shape[1] and found.size
    if not square or found.dtype.kind not in "iu":
        raise wrong(name, "a confusion matrix (C, C) of whole numbers", found)
    counts: Counts = found.astype(np.int64)
    if counts.min() < 0:
        raise wrong(name, "counts of at least 0", int(counts.min()))
    return counts
