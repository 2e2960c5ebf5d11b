"""Training snapshots with a framework's objects: tensors come out, nothing in them runs."""

from __future__ import annotations

import collections
import pickle
import sys
import types
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segmodels.checkpoints.arrays import Array, Inert
from segmodels.checkpoints.readers import read_torch
from segmodels.errors import SegmodelsError

CALLS: list[str] = []


class HistoryBuffer:
    """Like mmengine's: arrays, methods of the class by reference; and it tells on us."""

    def __init__(self) -> None:
        self.history = np.arange(4.0)
        self.methods = {"mean": self.mean}

    def __setstate__(self, state: Any) -> None:
        CALLS.append("__setstate__")

    def __new__(cls, *arguments: Any) -> HistoryBuffer:
        CALLS.append("__new__")
        return super().__new__(cls)

    def mean(self) -> float:
        return float(self.history.mean())


class Exploding:
    """Pickled as a call of a function of mmengine."""

    def __reduce__(self) -> Any:
        return (sys.modules["mmengine.logging"].explode, ("now",))


def explode(word: str) -> None:
    CALLS.append(word)


@pytest.fixture
def framework(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module of mmengine's name, importable while files are written and read."""
    module: Any = types.ModuleType("mmengine.logging")
    package: Any = types.ModuleType("mmengine")
    package.logging = module
    for name, value in (("HistoryBuffer", HistoryBuffer), ("explode", explode)):
        monkeypatch.setattr(value, "__module__", "mmengine.logging")
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "mmengine", package)
    monkeypatch.setitem(sys.modules, "mmengine.logging", module)
    CALLS.clear()
    return module


def write(path: Path, content: Any, *, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_come_out_beside_objects(tmp_path, framework, legacy) -> None:
    content = {
        "state_dict": {"weight": torch.arange(6.0).view(2, 3)},
        "meta": {"seed": np.int64(3), "epoch": 7},
        "message_hub": {"log_scalars": {"loss": HistoryBuffer()}, "info": np.zeros((2, 2))},
        "args": Namespace(lr=0.1, path=Path("weights")),
        "exploding": Exploding(),
    }
    path = write(tmp_path / "iter_1.pth", content, legacy=legacy)
    CALLS.clear()
    read = read_torch(path)
    assert CALLS == []
    assert torch.equal(read["state_dict"]["weight"], content["state_dict"]["weight"])
    assert read["meta"]["epoch"] == 7
    arrays = read["meta"]["seed"], read["message_hub"]["info"]
    assert {type(value) for value in arrays} == {Array}
    assert torch.equal(arrays[0].tensor(), torch.tensor(3))
    assert torch.equal(arrays[1].tensor(), torch.zeros(2, 2, dtype=torch.float64))
    placeholders = (
        read["message_hub"]["log_scalars"]["loss"],
        read["args"],
        read["exploding"],
    )
    assert {type(value) for value in placeholders} == {Inert}
    assert all(vars(value) == {} for value in placeholders)
    # The same file, opened as Python would, does run them.
    torch.load(path, weights_only=False)
    assert "now" in CALLS


def test_nothing_needs_to_be_installed(tmp_path, framework, monkeypatch) -> None:
    """Names are not looked up: the package they belong to may be missing."""
    path = write(tmp_path / "a.pth", {"x": torch.ones(1), "hub": HistoryBuffer()})
    monkeypatch.delitem(sys.modules, "mmengine.logging")
    monkeypatch.setitem(sys.modules, "mmengine", None)
    assert torch.equal(read_torch(path)["x"], torch.ones(1))


def test_placeholders_are_forgotten_afterwards(tmp_path, framework) -> None:
    path = write(tmp_path / "a.pth", {"x": torch.ones(1), "hub": HistoryBuffer()})
    before = torch.serialization.get_safe_globals()
    read_torch(path)
    assert set(torch.serialization.get_safe_globals()) == set(before)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


class _Calls:
    """Pickled as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "function", [open, eval, exec, __import__, setattr, print, collections.deque, pickle.loads]
)
def test_other_objects_are_refused(tmp_path, monkeypatch, framework, function, legacy) -> None:
    """Also beside a harmless one, which switches to the placeholders."""
    monkeypatch.chdir(tmp_path)
    bomb = _Calls(function, "exploded.txt", "w")
    path = write(tmp_path / "bomb.pth", {"hub": HistoryBuffer(), "bomb": bomb}, legacy=legacy)
    with pytest.raises(SegmodelsError, match="could run code"):
        read_torch(path)
    assert not (tmp_path / "exploded.txt").exists()


def test_system_modules_are_refused(tmp_path, framework) -> None:
    import os

    path = write(tmp_path / "bomb.pth", {"hub": HistoryBuffer(), "x": _Calls(os.system, "true")})
    with pytest.raises(SegmodelsError, match=r"could run code \(it asks for .*system\)"):
        read_torch(path)


def test_what_getattr_would_give_is_never_there(tmp_path, framework) -> None:
    """``getattr`` is a placeholder itself, so nothing real can be reached through it."""
    chain = _Calls(getattr, _Calls(getattr, "text", "__class__"), "__mro__")
    path = write(tmp_path / "odd.pth", {"x": torch.ones(1), "chain": chain})
    assert type(read_torch(path)["chain"]) is Inert
    # What a placeholder gives is an object and not a class, so it cannot be called in turn.
    stolen = b"\x80\x02c__builtin__\ngetattr\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00uppertR)R."
    path = tmp_path / "stolen.pth"
    parts = (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {})
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts) + stolen)
    with pytest.raises(SegmodelsError, match=r"could run code \(it fills in objects"):
        read_torch(path)


def test_foreign_lists_and_dictionaries_are_refused(tmp_path, framework, monkeypatch) -> None:
    class ConfigDict(dict):  # type: ignore[type-arg]
        pass

    ConfigDict.__module__, ConfigDict.__qualname__ = "mmengine.logging", "ConfigDict"
    monkeypatch.setattr(framework, "ConfigDict", ConfigDict, raising=False)
    path = write(tmp_path / "a.pth", {"meta": ConfigDict(classes=("a",))})
    with pytest.raises(SegmodelsError, match=r"could run code \(it fills in objects"):
        read_torch(path)


def test_a_broken_file_stays_broken(tmp_path, framework) -> None:
    for legacy in (False, True):
        path = write(tmp_path / "cut.pth", {"hub": HistoryBuffer()}, legacy=legacy)
        data = path.read_bytes()
        for keep in (0.1, 0.5, 0.9):
            path.write_bytes(data[: int(keep * len(data))])
            with pytest.raises(SegmodelsError, match=r"cut\.pth"):
                read_torch(path)
