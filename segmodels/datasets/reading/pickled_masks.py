"""Masks out of the pickled {train,val}.pth of Pascal Context, without running the pickles.

The files are dictionaries of Pillow images by number, written by `torch.save`. Unpickling them
the usual way calls whatever the file names. Here two names are known, and both mean something
harmless: Pillow's image becomes a record of its state, and `_codecs.encode` (how protocol 2
writes bytes) becomes an encoding to Latin-1. Any other name is refused.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.core.zips import refuse_bomb
from segmodels.errors import SegmodelsError

#: Before torch 1.6 a file is several pickles: magic number, version, system, then the content.
_BEFORE = 3
#: What the readers raise for damaged files; where the damage is decides which.
_BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    MemoryError,
    OverflowError,
    RuntimeError,
    zlib.error,
)


class _State:
    """Stands for a Pillow image; keeps what would have become one."""

    def __setstate__(self, state: object) -> None:
        self.state = state


def _latin1(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes are written in an unknown way")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("PIL.Image", "Image"): _State,
    ("PIL.PngImagePlugin", "PngImageFile"): _State,
    ("_codecs", "encode"): _latin1,
}


class _Reader(pickle.Unpickler):
    """Builds plain values, `_State` and bytes; looks nothing up."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no mask")
        return _KNOWN[module, name]


def read_masks(path: Path) -> Iterator[tuple[int, Pixels]]:
    """The masks of a file, by the number of their image, in its order.

    Holds them all, twice while reading, as the format has no index.

    Yields:
        number (2008000002 for image 2008_000002) and uint8 (H, W).

    Raises:
        SegmodelsError: the file is missing, damaged, or holds anything but masks.
    """
    try:
        content = _content(path)
        masks = {int(key): _pixels(value.state) for key, value in content.items()}
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: missing.") from None
    except _BROKEN as error:
        raise SegmodelsError(
            f"{path}: no file of pickled masks ({error or type(error).__name__}). Nothing in it "
            f"was run. Download it again, or use masks in PNG ({path.parent})."
        ) from None
    yield from masks.items()


def _content(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(archive, path)
            (record,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
            with archive.open(record) as file:
                return _load(file)
    with path.open("rb") as file:
        for _ in range(_BEFORE):
            _load(file)
        return _load(file)


def _load(file: IO[bytes]) -> Any:
    return _Reader(file).load()


def _pixels(state: Any) -> Pixels:
    """Pillow's state of an image begins with info, mode, size, palette and bytes."""
    _, mode, (width, height), _, content, *_ = state
    if mode not in ("L", "P"):
        raise ValueError(f"a mask has mode {mode}")
    return np.frombuffer(content, np.uint8).reshape(height, width)
