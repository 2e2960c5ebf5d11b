"""Tensors out of a file, by what it holds and not by its name; nothing in it is ever run."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from segmodels.checkpoints.diagnosis import AGAIN, diagnosis, kind_of
from segmodels.checkpoints.inert import load_inert
from segmodels.checkpoints.pickles import UnknownInstructionError, as_protocol_2
from segmodels.core.memory import blame_memory
from segmodels.core.stand_ins import printable
from segmodels.errors import SegmodelsError

#: How PyTorch's safe reader words its refusal of objects.
OBJECTS = re.compile(r"Unsupported (global|class)|Can only |Trying to (load|call) ")
NAME = re.compile(r"GLOBAL (\S+)")

#: What ``zipfile`` raises for damaged archives; a changed flag makes it think of encryption.
BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError),
    NotImplementedError,
)

RESAVE = "save its state dict alone: torch.save(MODEL.state_dict(), NEW)"


def read_any(path: Path) -> Any:
    """What a file of PyTorch, of safetensors or of NumPy holds, onto the CPU.

    Raises:
        SegmodelsError: it is none of them, damaged, or holds code.
    """
    kind = kind_of(path)
    if kind == "safetensors":
        return read_safetensors(path)
    return read_npz(path) if kind == "npz" else read_torch(path)


def read_torch(path: Path) -> Any:
    """Read a PyTorch file as tensors and plain values, onto the CPU.

    Objects in which training frameworks keep their books become placeholders (``inert``).

    Raises:
        SegmodelsError: not a PyTorch file, cut short, or it holds code.
    """
    if kind_of(path) != "torch":
        raise SegmodelsError(f"{path} {diagnosis(path)}")
    try:
        opened = as_protocol_2(path)
        if path.suffix == ".safetensors":  # for which torch.load goes by the name
            opened = io.BytesIO(path.read_bytes()) if opened is path else opened
        # Memory-mapped, the optimiser state of a training snapshot is never read from disk.
        mapped = opened is path and _can_be_mapped(path)
        try:
            return torch.load(opened, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError:  # an object, or a broken file: then it fails again
            return load_inert(opened, mapped)
    except UnknownInstructionError as error:
        raise SegmodelsError(
            f"{path} is pickled in a way that cannot be read without running it ({error}). Where "
            f"it is trusted, {RESAVE}."
        ) from error
    except Exception as error:  # torch raises half a dozen kinds
        blame_memory(error)
        raise SegmodelsError(f"{path} {_unreadable(path, str(error))}") from error


def _can_be_mapped(path: Path) -> bool:
    """Whether it is a zip archive whose records are not packed."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(item.compress_type == zipfile.ZIP_STORED for item in archive.infolist())


def _unreadable(path: Path, reason: str) -> str:
    """What to tell of a file that PyTorch's reader refused with a reason."""
    if OBJECTS.search(reason):
        name = NAME.search(reason)
        asked = f"it asks for {printable(name[1])}" if name else "it fills in objects of its own"
        return (
            f"holds Python objects besides tensors and is not opened, since that could run code "
            f"({asked}). Where it is trusted and that code is installed, {RESAVE}."
        )
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        return f"cannot be read: cut short at {size} bytes, or damaged. {AGAIN}"
    if bad := _damaged_record(path):
        return f"cannot be read: damaged in {printable(bad)} ({size} bytes). {AGAIN}"
    return (
        f"is whole ({size} bytes) but does not hold what torch.save writes. Where it is trusted, "
        f"{RESAVE}."
    )


def _damaged_record(path: Path) -> str | None:
    """The first record of an archive that differs from its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except BROKEN_ZIP:
        return "its list of records"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU.

    Raises:
        SegmodelsError: the file is something else, broken or cut short.
    """
    if kind_of(path) != "safetensors":
        if kind_of(path) is None:
            raise SegmodelsError(f"{path} {diagnosis(path)}")
        raise SegmodelsError(f"{path} is a file of {kind_of(path)}, not of safetensors; rename it.")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        blame_memory(error)
        raise SegmodelsError(f"{path} is {_safetensors_fault(path)}") from error


def _safetensors_fault(path: Path) -> str:
    """What is wrong with a file that begins as safetensors do."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length < size else b""
    cut = f"not a whole safetensors file, cut short at {size} bytes. {AGAIN}"
    if len(header) < length:
        return cut
    try:
        ends = [
            about["data_offsets"][1]
            for name, about in json.loads(header).items()
            if name[:2] != "__"
        ]
        wanted = 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return f"not a whole safetensors file ({size} bytes): its header is damaged. {AGAIN}"
    if wanted > size:
        return cut
    return (
        f"not a safetensors file that can be read ({size} bytes): its header gives tensors "
        f"places, shapes or types that do not fit. Save it again."
    )


def read_npz(path: Path) -> dict[str, Tensor]:
    """Read an archive of NumPy arrays onto the CPU.

    Raises:
        SegmodelsError: the file is broken or cut short, or holds anything but numbers.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}
    except TypeError as error:  # text and other things torch has no type for
        raise SegmodelsError(f"{path} holds arrays that are no plain numbers.") from error
    except BROKEN_ZIP as error:
        if "allow_pickle" in str(error):
            raise SegmodelsError(
                f"{path} holds Python objects besides numbers and is not opened, since that could "
                f"run code. Where it is trusted, save its arrays of numbers alone."
            ) from error
        size = path.stat().st_size
        raise SegmodelsError(
            f"{path} ({size} bytes) is not a whole archive of arrays. {AGAIN}"
        ) from error
