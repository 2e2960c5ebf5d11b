"""A file is not blamed where memory ended while it was read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segmodels.checkpoints import readers
from segmodels.core.memory import is_of_memory
from segmodels.datasets.reading import pictures

FULL = (
    MemoryError("Cannot allocate memory (os error 12)"),
    OSError(errno.ENOMEM, "no words that are known"),
    RuntimeError("unable to mmap 800704 bytes from file <x>: Cannot allocate memory (12)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("[enforce fail a"),
    ValueError("std::bad_alloc"),
)


def fails(error: Exception) -> Callable[..., object]:
    def work(*_: object, **__: object) -> object:
        raise error

    return work


@pytest.mark.parametrize("error", FULL)
def test_weights_and_images_are_not_called_damaged(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pt")
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"0")
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(readers, "load_file", fails(error))
    monkeypatch.setattr(torch, "load", fails(error))
    monkeypatch.setattr(Image, "open", fails(error))
    for name in ("a.pt", "a.safetensors"):
        with pytest.raises(MemoryError):
            readers.read_any(tmp_path / name)
    with pytest.raises(MemoryError):
        pictures.turn_of(tmp_path / "a.png")


@pytest.mark.parametrize("error", [OSError(errno.EIO, "failing"), RuntimeError("wrong sizes")])
def test_another_error_is_not_about_memory(error: Exception) -> None:
    assert not is_of_memory(error)
