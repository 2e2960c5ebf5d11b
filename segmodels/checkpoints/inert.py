"""Tensors out of files that also hold a framework's bookkeeping, without running any of it.

A training snapshot of mmsegmentation carries loss histories: objects of mmengine, with
NumPy arrays and references to methods inside. PyTorch refuses to read such a file safely,
because rebuilding an object means calling a function the file names. Here PyTorch's safe reader
stays in charge; it only learns that those names all mean ``Inert``, a class that takes whatever
it is given and does nothing. The functions named in the file are neither imported nor called.
What the reader cannot do with such a placeholder (filling a foreign list or dictionary) it still
refuses.
"""

from __future__ import annotations

import pickle
import pickletools
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

#: Packages whose objects are bookkeeping beside the tensors. Other names stay refused: a file
#: that asks for ``builtins.eval`` is not made trustworthy by ignoring it.
BOOKKEEPING = frozenset({"argparse", "mmcv", "mmengine", "mmseg", "numpy", "pathlib"})

#: mmengine's histories keep methods of their class, which are pickled as calls of this.
REFERENCE = "builtins.getattr"

#: Pickles in PyTorch's format before 1.6: magic number, version, system, and then the content.
LEGACY_PICKLES = 4

#: In protocol 2, which PyTorch writes, Python 2's name of the module is used.
BUILTINS = {"__builtin__": "builtins"}

# The list of allowed names is PyTorch's and belongs to the process.
_LOCK = threading.Lock()


class Inert:
    """Stands for an object of a class that is not loaded; keeps nothing."""

    def __new__(cls, *_: Any) -> Inert:
        """The arguments would have built the object."""
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        """The state would have become attributes."""


def load_inert(path: Path, mapped: bool) -> Any:
    """Read a PyTorch file with placeholders for the bookkeeping objects.

    Raises:
        Exception: PyTorch's, when other objects are left or the file is broken.
    """
    names = {name for name in _names(path) if _is_bookkeeping(name)}
    with _LOCK, torch.serialization.safe_globals([(Inert, name) for name in sorted(names)]):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def _is_bookkeeping(name: str) -> bool:
    return name == REFERENCE or name.partition(".")[0] in BOOKKEEPING


def _names(path: Path) -> Iterator[str]:
    """Dotted names of everything the file's pickles ask for; nothing is looked up.

    This only decides what becomes inert: a name missed here is refused by PyTorch.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            for _ in range(LEGACY_PICKLES):
                yield from _globals(file)
        return
    with zipfile.ZipFile(path) as archive:
        for record in archive.namelist():
            if record.endswith("/data.pkl"):
                with archive.open(record) as file:
                    yield from _globals(file)


def _globals(file: IO[bytes]) -> Iterator[str]:
    try:
        for operation, argument, _ in pickletools.genops(file):
            if operation.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield f"{BUILTINS.get(module, module)}.{name}"
    except (ValueError, pickle.UnpicklingError):
        return  # PyTorch will say what is wrong with it
