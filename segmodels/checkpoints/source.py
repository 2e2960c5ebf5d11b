"""A checkpoint on disk: one file or one folder, read without ever executing anything."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from segmodels.checkpoints.inert import load_inert
from segmodels.errors import SegmodelsError

LayerNormEps = Literal["hugging_face", "original"]


@dataclass
class Source:
    """What the user pointed at, and how it is to be read."""

    path: Path
    layer_norm_eps: LayerNormEps = "hugging_face"

    @property
    def folder(self) -> Path:
        """The folder given, or the one that holds the file given."""
        return self.path if self.path.is_dir() else self.path.parent

    def has(self, *names: str) -> bool:
        """Whether all the named files lie in the folder, and the user did not mean another."""
        meant = self.path.is_dir() or self.path.name in names
        return meant and all((self.folder / name).is_file() for name in names)

    @cached_property
    def content(self) -> Any:
        """What the file given holds; None for a folder or a file of another kind."""
        if not self.path.is_file():
            return None
        if self.path.suffix == ".safetensors":
            return read_safetensors(self.path)
        if is_npz(self.path):
            return read_npz(self.path)
        return read_torch(self.path) if is_torch(self.path) else None

    @property
    def keys(self) -> frozenset[str]:
        """Top-level string keys of the file given."""
        return _strings(self.content)

    @property
    def state(self) -> Any:
        """The state dict in the file given: what lies under ``state_dict`` or ``model``, or all."""
        for name in ("state_dict", "model"):
            if name in self.keys:
                return self.content[name]
        return self.content

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the tensors in the state dict, without a ``module.`` prefix."""
        return frozenset(name.removeprefix("module.") for name in _strings(self.state))


def _strings(values: Any) -> frozenset[str]:
    names = values if isinstance(values, Mapping) else ()
    return frozenset(name for name in names if isinstance(name, str))


class _TupleLoader(yaml.SafeLoader):
    """YAML that can only become plain values; tuples are the one extension."""


def _tuple(loader: _TupleLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_TupleLoader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


#: How PyTorch's safe reader words its refusal of objects.
OBJECTS = re.compile(r"Unsupported (global|class)|Can only |Trying to (load|call) ")


def is_torch(path: Path) -> bool:
    """Whether a file starts as PyTorch's do: a zip archive, or a pickle before 1.6."""
    with path.open("rb") as file:
        magic = file.read(2)
    return magic == b"PK" or magic[:1] == b"\x80"


def is_npz(path: Path) -> bool:
    """Whether a file is NumPy's archive of arrays, or at least claims to be one."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return False
    if path.suffix == ".npz":
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def read_torch(path: Path) -> Any:
    """Read a PyTorch file as tensors and plain values, onto the CPU.

    Objects in which training frameworks keep their books become placeholders (``inert``).

    Raises:
        SegmodelsError: not a PyTorch file, cut short, or it holds code.
    """
    if not is_torch(path):
        raise SegmodelsError(f"{path} is not a PyTorch file.")
    # Memory-mapped, the optimiser state of a training snapshot is never read from disk.
    mapped = zipfile.is_zipfile(path)
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError:  # an object, or a broken file: then it fails again
            return load_inert(path, mapped)
    except Exception as error:  # torch raises half a dozen kinds
        raise SegmodelsError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: Exception) -> str:
    reason = str(error).strip()
    found = OBJECTS.search(reason)
    if found is not None:
        start = found.start()
        return (
            f"{path} holds Python objects besides tensors and is not opened, since that could "
            f"run code ({_first_line(reason[start:])}). Re-save it with only its state dict."
        )
    size = path.stat().st_size
    return (
        f"{path} cannot be read: not written by PyTorch, or cut short at {size} bytes "
        f"({type(error).__name__}: {_first_line(reason)}). Download it again."
    )


def _first_line(text: str) -> str:
    return text.splitlines()[0][:200] if text else "no reason given"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU.

    Raises:
        SegmodelsError: the file is broken or cut short.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        size = path.stat().st_size
        raise SegmodelsError(
            f"{path} ({size} bytes) is not a whole safetensors file ({error}). Download it again."
        ) from error


def read_npz(path: Path) -> dict[str, Tensor]:
    """Read an archive of NumPy arrays onto the CPU.

    Raises:
        SegmodelsError: the file is broken or cut short, or holds anything but numbers.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, zlib.error) as error:
        size = path.stat().st_size
        raise SegmodelsError(
            f"{path} ({size} bytes) is not a whole archive of arrays ({error}). Download it again."
        ) from error
    except TypeError as error:  # text and other things torch has no type for
        raise SegmodelsError(f"{path} holds arrays that are no numbers ({error}).") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SegmodelsError: not JSON, or not an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SegmodelsError(f"{path} is not valid JSON ({error}).") from error
    return _mapping(path, values)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping of plain values and tuples.

    Raises:
        SegmodelsError: not YAML, not a mapping, or it asks for any other Python object.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_TupleLoader)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SegmodelsError(f"{path} is not plain YAML ({reason}).") from error
    return _mapping(path, values)


def _mapping(path: Path, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise SegmodelsError(f"{path} must hold a mapping, got {type(values).__name__}.")
    return values
