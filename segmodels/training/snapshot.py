"""The snapshots of a training: the last one and the one before, each whole or not used.

A snapshot is what `torch.save` writes and, behind it, one line with its SHA-256 and the arithmetic
it was trained in. It reaches the disk before it takes its name, and the one before it stays. What
is torn, damaged, or was trained on another device or by another torch is set aside with one line.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import torch

from segmodels.core.environment import difference
from segmodels.core.files import set_aside
from segmodels.core.notes import note

#: More than the last line of a snapshot takes.
_FOOT = 1 << 14

Content = dict[str, Any]


#: What content that is not a snapshot of this training makes torch and its reader raise.
_MISFITS = (
    pickle.UnpicklingError,
    EOFError,
    RuntimeError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
)

Taken = TypeVar("Taken")


class _DamagedError(Exception):
    """It is not what was written."""


def save_snapshot(path: Path, content: Content, arithmetic: Mapping[str, str]) -> bool:
    """Write a snapshot; the last one becomes the one before.

    Returns:
        whether it is on the disk. A full one is a note, and no reason to end a training: the last
        snapshot stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        _write(part, content, arithmetic)
        if path.exists():
            path.replace(_before(path))
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        why = error.strerror or error
        note(f"{path}: {why}; the training goes on, and could be taken up where it was before.")
        return False
    return True


def load_snapshot(
    path: Path, arithmetic: Mapping[str, str], device: str, take_up: Callable[[Content], Taken]
) -> Taken | None:
    """What is taken up of the last snapshot that is whole and of this arithmetic; None if none is.

    Others are set aside with a note that says why.

    Args:
        path: of the last one.
        arithmetic: of this process.
        device: where its tensors are put.
        take_up: makes of its content what goes on; one that raises is damaged.
    """
    here = [one for one in (path, _before(path)) if one.exists()]
    while here:
        one, *here = here
        taken, begun = _tried(one, arithmetic, device, take_up)
        if taken is not None:
            return taken
        why = "damaged" if begun in ({}, arithmetic) else difference(begun, arithmetic)
        instead = "the one before it is tried" if here else "trained from the start"
        note(f"{one}: {why}; set aside as {set_aside(one).name}, {instead}.")
    return None


def _before(path: Path) -> Path:
    return path.with_suffix(f".before{path.suffix}")


def _write(part: Path, content: Content, arithmetic: Mapping[str, str]) -> None:
    with part.open("wb") as file:
        body = _Hashed(file)
        try:
            torch.save(content, cast("IO[bytes]", body))
        except RuntimeError:  # how torch tells that its file could not be written
            if body.refused is None:
                raise
            raise body.refused from None
        about = {"bytes": body.bytes, "arithmetic": dict(arithmetic)}
        foot = {"sha256": body.sha256.hexdigest(), **about}
        file.write(b"\n" + json.dumps(foot).encode())
        file.flush()
        os.fsync(file.fileno())


class _Hashed(io.RawIOBase):
    """A file to write to that hashes what it is given, and remembers why it refused."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self.file, self.sha256, self.bytes = file, hashlib.sha256(), 0
        self.refused: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes, or remember why not."""
        try:
            self.file.write(data)
        except OSError as error:
            self.refused = error
            raise
        self.sha256.update(data)
        self.bytes += len(data)
        return len(data)


def _tried(
    path: Path, arithmetic: Mapping[str, str], device: str, take_up: Callable[[Content], Taken]
) -> tuple[Taken | None, Mapping[str, str]]:
    try:
        body, begun = _read(path)
        if begun != arithmetic:
            return None, begun
        content = torch.load(io.BytesIO(body), map_location=device, weights_only=True)
        return take_up(content), begun
    except torch.OutOfMemoryError:  # no fault of the file
        raise
    except (_DamagedError, OSError, *_MISFITS):
        return None, {}


def _read(path: Path) -> tuple[bytes, Mapping[str, str]]:
    with path.open("rb") as file:
        foot = _foot(file)
        file.seek(0)
        body = file.read(foot["bytes"])
    if hashlib.sha256(body).hexdigest() != foot["sha256"]:
        raise _DamagedError
    return body, foot["arithmetic"]


def _foot(file: IO[bytes]) -> dict[str, Any]:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _FOOT))
    try:
        foot = json.loads(file.read().rpartition(b"\n")[2])
        known = {name: foot[name] for name in ("sha256", "bytes", "arithmetic")}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _DamagedError from None
    if not isinstance(known["bytes"], int) or not isinstance(known["arithmetic"], dict):
        raise _DamagedError
    if not 0 < known["bytes"] < size:  # else reading would ask for memory that nobody has
        raise _DamagedError
    return known


def _sync_folder(folder: Path) -> None:
    """Bring names to the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
