"""Devices for stages, with GPUs that are only counted."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from flows import devices, stages
from flows.devices import Pool
from flows.dvc_stages import Stage
from flows.tasks import Work


@pytest.fixture(autouse=True)
def no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))


@pytest.mark.parametrize(
    ("asked", "visible", "found"),
    [
        (None, "0,1", ("cpu",)),
        ("cpu", "0,1", ("cpu",)),
        ("cuda", "0,1", ("cuda:0", "cuda:1")),
        ("cuda", "3", ("cuda:0",)),
        ("cuda", "0,GPU-5ebe9dc3,-1,4", ("cuda:0", "cuda:1")),
        ("cuda", "", ("cuda",)),
        ("cuda:1", "0,1", ("cuda:1",)),
        ("cuda:0, cuda:2", "0,1,2", ("cuda:0", "cuda:2")),
    ],
)
def test_the_devices_that_stages_may_use(
    asked: str | None, visible: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    if asked is not None:
        monkeypatch.setenv("SEGMODELS_DEVICE", asked)
    assert devices.devices() == found
    assert stages._device() == found[0]


def test_stages_that_run_at_a_time_have_a_gpu_each() -> None:
    pool, names = Pool(["cuda:0", "cuda:1"]), []
    both, done = threading.Barrier(2, timeout=60), threading.Barrier(2, timeout=60)

    def stage() -> None:
        with pool.device() as name:
            both.wait()
            names.append(name)
            done.wait()

    threads = [threading.Thread(target=stage) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == ["cuda:0", "cuda:1"]


def test_more_stages_than_gpus_share_the_least_used() -> None:
    pool = Pool(["cuda:0", "cuda:1"])
    with ExitStack() as held:
        names = [held.enter_context(pool.device()) for _ in range(4)]
        assert names == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    with pool.device() as name:
        assert name == "cuda:0"


_OTHER = """
from flows import devices
devices.tempfile.gettempdir = lambda: {folder!r}
with devices.Pool(["cuda:0", "cuda:1"]).device() as name:
    print(name, flush=True)
    input()
"""


def test_another_pool_of_this_machine_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", _OTHER.format(folder=str(tmp_path))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "cuda:0\n"
        with Pool(["cuda:0", "cuda:1"]).device() as name:
            assert name == "cuda:1"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")  # which a process may number anew
        with Pool(["cuda:0", "cuda:1"]).device() as name:
            assert name == "cuda:0"
        other.communicate("\n")


def test_only_stages_that_run_networks_are_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, str | None] = {}

    def reproduce_stage(root: Path, name: str, **options: object) -> None:
        given[name] = options["device"]  # type: ignore[assignment]

    monkeypatch.setattr("flows.dvc_stages.reproduce_stage", reproduce_stage)
    monkeypatch.setattr("flows.tasks.get_run_logger", lambda: stages_log)
    work = Work(tmp_path, threading.Event(), devices=Pool(["cuda:0", "cuda:1"]))
    for group in ("prepare", "train", "evaluate", "leaderboard"):
        work.reproduce(Stage(group, group, (), True))
    assert given == {"prepare": None, "train": "cuda:0", "evaluate": "cuda:0", "leaderboard": None}


class Log:
    def info(self, *_: object) -> None:
        """Nobody listens."""


stages_log = Log()
