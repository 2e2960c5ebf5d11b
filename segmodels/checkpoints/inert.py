"""Tensors out of files that also hold a framework's bookkeeping, without running any of it.

A training snapshot of mmsegmentation carries loss histories: objects of mmengine, with
NumPy arrays and references to methods inside. PyTorch refuses to read such a file safely,
because rebuilding an object means calling a function the file names. Here PyTorch's safe reader
stays in charge; it only learns that those names all mean ``Inert``, a class that takes whatever
it is given and does nothing. The functions named in the file are neither imported nor called.
What the reader cannot do with such a placeholder (filling a foreign list or dictionary) it still
refuses. Arrays of NumPy become ``Array``, which keeps their bytes; NumPy itself is not asked.
"""

from __future__ import annotations

import pickle
import pickletools
import threading
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import torch

from segmodels.checkpoints.arrays import NUMPY, Inert
from segmodels.checkpoints.pickles import LEGACY_PICKLES, pickles_of

#: Packages whose objects are bookkeeping beside the tensors. Other names stay refused: a file
#: that asks for ``builtins.eval`` is not made trustworthy by ignoring it.
BOOKKEEPING = frozenset({"argparse", "mmcv", "mmengine", "mmseg", "numpy", "pathlib"})

#: mmengine's histories keep methods of their class, which are pickled as calls of this.
REFERENCE = "builtins.getattr"

#: In protocol 2, which PyTorch writes, Python 2's name of the module is used.
BUILTINS = {"__builtin__": "builtins"}

# The list of allowed names is PyTorch's and belongs to the process.
_LOCK = threading.Lock()


def load_inert(path: Path | IO[bytes], mapped: bool) -> Any:
    """Read a PyTorch file with placeholders for the bookkeeping objects.

    Raises:
        Exception: PyTorch's, when other objects are left or the file is broken.
    """
    names = {name for name in names_in(path) if _is_bookkeeping(name)}
    known: list[Any] = [(NUMPY.get(name, Inert), name) for name in sorted(names)]
    with _LOCK, torch.serialization.safe_globals(known):
        _rewind(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def _is_bookkeeping(name: str) -> bool:
    return name == REFERENCE or name.partition(".")[0] in BOOKKEEPING


def names_in(path: Path | IO[bytes]) -> Iterator[str]:
    """Dotted names of everything the file's pickles ask for; nothing is looked up.

    This only decides what becomes inert: a name missed here is refused by PyTorch.
    """
    _rewind(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for record in pickles_of(archive):
                with archive.open(record) as file:
                    yield from _globals(file)
        return
    _rewind(path)
    with nullcontext(path) if not isinstance(path, Path) else path.open("rb") as file:
        for _ in range(LEGACY_PICKLES):
            yield from _globals(file)


def _rewind(path: Path | IO[bytes]) -> None:
    if not isinstance(path, Path):
        path.seek(0)


def _globals(file: IO[bytes]) -> Iterator[str]:
    try:
        for operation, argument, _ in pickletools.genops(file):
            if operation.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                yield f"{BUILTINS.get(module, module)}.{name}"
    except (ValueError, pickle.UnpicklingError):
        return  # PyTorch will say what is wrong with it
