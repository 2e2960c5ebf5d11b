"""DVC's cache on a disk that becomes full, and remotes that refuse, vanish or stop answering."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from small_disk import grow, small_disk
from storage_server import Storage, storage
from toy_repository import MakeRepo

from flows import dvc_lock
from flows.dvc_stages import StageFailedError, reproduce_stage

__all__ = ["storage"]  # a fixture

pytestmark = [pytest.mark.faults, pytest.mark.slow]

NAMES = ("a", "b", "c")
#: Writes as many bytes as it is told, the same for the same name.
WRITE = """
import random, sys
from pathlib import Path
name = sys.argv[1]
Path(name).write_bytes(random.Random(name).randbytes(200_000))
"""


@pytest.fixture
def root(make_repo: MakeRepo) -> Path:
    """Three stages of 200 kB each, none of them run."""
    stages = {name: {"cmd": f"{sys.executable} write.py {name}", "outs": [name]} for name in NAMES}
    root = make_repo(stages)
    (root / "write.py").write_text(WRITE)
    return root


@pytest.fixture
def made(root: Path) -> Path:
    """The same when all were run."""
    for name in NAMES:
        reproduce_stage(root, name)
    return root


def setting(root: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "config", *words], cwd=root, check=True)


def remote(root: Path, url: object) -> None:
    setting(root, "remote.storage.url", str(url))
    setting(root, "core.remote", "storage")


def outputs(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in NAMES if (root / name).exists()}


def push(root: Path) -> None:
    dvc_lock.push(root, NAMES, threading.Event())


def pulled(root: Path) -> list[str]:
    """Of each stage what DVC said where its outputs did not come, else nothing."""
    said = []
    for name in NAMES:
        try:
            dvc_lock.pull(root, name, threading.Event())
            said.append("")
        except StageFailedError as error:
            said.append(str(error))
    return said


def forget(root: Path) -> None:
    """As in another clone, which has dvc.lock and no outputs."""
    shutil.rmtree(root / ".dvc/cache")
    for name in NAMES:
        (root / name).unlink()


def test_a_full_cache(root: Path, tmp_path: Path) -> None:
    setting(root, "cache.dir", str(tmp_path / "cache"))
    with small_disk(tmp_path / "cache", 300):
        reproduce_stage(root, "a")
        with pytest.raises(StageFailedError, match="No space left on device") as told:
            reproduce_stage(root, "b")
        assert "The disk is full: free some space and run again" in str(told.value)
        assert str(tmp_path / "cache") in str(told.value)
        assert outputs(root).keys() == {"a", "b"}  # what the stage wrote stays
        before = outputs(root)
        grow(tmp_path / "cache", 1000)
        for name in NAMES:
            reproduce_stage(root, name)
        assert {**outputs(root), **before} == outputs(root)
        (root / "b").unlink()
        subprocess.run([sys.executable, "-m", "dvc", "checkout", "-q", "b"], cwd=root, check=True)
        assert {**outputs(root), **before} == outputs(root)  # it is whole in the cache


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_remote_that_takes_nothing(made: Path, tmp_path: Path, fault: str) -> None:
    expected, storage = outputs(made), tmp_path / "remote"
    remote(made, storage)
    with small_disk(storage, 300):
        if fault == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(storage)], check=True)
        with pytest.raises(StageFailedError, match="cannot be pushed to the DVC remote") as told:
            push(made)
        words = "No space left on device" if fault == "full" else "Read-only file system"
        assert words in str(told.value)
        assert "Traceback" not in str(told.value)
        assert outputs(made) == expected
        subprocess.run(["mount", "-o", "remount,rw,size=2000k", str(storage)], check=True)
        push(made)
        forget(made)
        assert pulled(made) == [""] * len(NAMES)
        assert outputs(made) == expected


def test_a_remote_that_vanished(made: Path, tmp_path: Path) -> None:
    expected, storage = outputs(made), tmp_path / "remote"
    remote(made, storage)
    push(made)
    storage.rename(tmp_path / "elsewhere")
    forget(made)
    assert all("failed to pull data from the cloud" in one for one in pulled(made))
    assert not outputs(made)
    shutil.rmtree(storage, ignore_errors=True)
    (tmp_path / "elsewhere").rename(storage)
    assert pulled(made) == [""] * len(NAMES)
    assert outputs(made) == expected


def test_a_server_that_stops_at_a_push(made: Path, storage: Storage) -> None:
    expected = outputs(made)
    remote(made, f"http://127.0.0.1:{storage.server_port}")
    storage.left = 1
    with pytest.raises(StageFailedError, match="cannot be pushed to the DVC remote") as told:
        push(made)
    assert "Traceback" not in str(told.value)
    assert outputs(made) == expected
    assert len(storage.files) == 1
    storage.left = 1000
    push(made)
    forget(made)
    assert pulled(made) == [""] * len(NAMES)
    assert outputs(made) == expected


def test_a_server_that_stops_at_a_pull(made: Path, storage: Storage) -> None:
    expected = outputs(made)
    remote(made, f"http://127.0.0.1:{storage.server_port}")
    push(made)
    forget(made)
    storage.left = 3  # DVC asks for a file more than once
    first, *others = pulled(made)
    assert not first
    assert all(
        f"Outputs of {name} cannot be pulled" in one for name, one in zip("bc", others, strict=True)
    )
    assert outputs(made) == {"a": expected["a"]}
    storage.left = 1000
    assert pulled(made) == [""] * len(NAMES)
    assert outputs(made) == expected
