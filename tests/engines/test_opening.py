"""Which engine is meant, and the engines themselves, each with a worker that is killed."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from waiting import until

from segmodels import cli
from segmodels.cli.common import ENGINES as OFFERED
from segmodels.engines.addresses import check_address
from segmodels.engines.opening import ADDRESS, ENGINE, ENGINES, SHARDS, EngineChoice, asked_for
from segmodels.errors import PassingError, SegmodelsError

HERE = Path(__file__).parent


def needs(engine: str) -> None:
    package = {"dask": "distributed", "ray": "ray"}.get(engine)
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'segmodels[{engine}]'")


def test_options_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for() is None
    assert OFFERED == ENGINES
    monkeypatch.setenv(ENGINE, "dask")
    monkeypatch.setenv(ADDRESS, "tcp://one:8786")
    monkeypatch.setenv(SHARDS, "8")
    assert asked_for() == EngineChoice("dask", "tcp://one:8786", 8)
    assert asked_for("ray", "ray://two:10001", 3) == EngineChoice("ray", "ray://two:10001", 3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("dusk", None, None), "Unknown engine 'dusk'. Did you mean 'dask'"),
        (("processes", "tcp://x:1", None), "is for dask and ray; engine 'processes' has none"),
        ((None, "tcp://x:1", None), "name one with --engine or SEGMODELS_ENGINE: processes, dask"),
        ((None, None, 3), "name one with --engine"),
        (("ray", None, 0), "--shards 0: expected a number of parts, 1 or more"),
    ],
)
def test_what_makes_no_sense(given: tuple[str | None, str | None, int | None], words: str) -> None:
    with pytest.raises(SegmodelsError, match=re.escape(words)):
        asked_for(*given)


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENGINE, "ray")
    monkeypatch.setenv(SHARDS, "many")
    with pytest.raises(SegmodelsError, match="SEGMODELS_SHARDS=many is no number of parts"):
        asked_for()


def test_torchrun_must_have_started_it(capsys: pytest.CaptureFixture[str]) -> None:
    from segmodels.engines.opening import opened

    with (
        pytest.raises(SegmodelsError, match="is for processes that torchrun started"),
        opened(EngineChoice("torchrun"), "cpu"),
    ):
        pass
    assert cli.main(["evaluate", "shapes-depict-nano", "--engine", "torchrun", "--shard=0/2"]) == 1
    assert "--shard counts one part, --engine all of them" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_a_package_that_is_missing(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from segmodels.engines.opening import opened

    module = {"dask": "distributed", "ray": "ray"}[engine]
    monkeypatch.setitem(sys.modules, f"segmodels.engines.{engine}_cluster", None)
    monkeypatch.delitem(sys.modules, f"segmodels.engines.{engine}_cluster")
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(SegmodelsError, match=rf"needs the package .*pip install.*\[{engine}\]"),
        opened(EngineChoice(engine), "cpu"),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{}", "127.0.0.1:{}", "ray://localhost:{}/"])
def test_an_address_where_nobody_listens(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = address.format(server.getsockname()[1])
        check_address("ray", there, "host:6379")
    with pytest.raises(PassingError, match="nothing answers at --engine-address"):
        check_address("ray", there, "host:6379")


@pytest.mark.parametrize("address", ["nonsense", "tcp://host", "host:port", ""])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(SegmodelsError, match=r"is no address of a cluster .* as in host:6379\."):
        check_address("ray", address, "host:6379")


def environment() -> dict[str, str]:
    """Of processes that find `lost_worker` and this checkout's code."""
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def run(engine: str, folder: Path, kind: str = "") -> subprocess.CompletedProcess[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    torchrun += [] if kind else ["--max-restarts", "1"]  # it knows no error that stays
    words = [*(torchrun if engine == "torchrun" else []), str(HERE / "lost_worker.py")]
    return subprocess.run(
        [sys.executable, *words, engine, str(folder), kind],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "code", "busy"),
    [(signal.SIGINT, 130, 0), (signal.SIGINT, 130, 2), (signal.SIGKILL, -9, 2)],
    ids=["ctrl-c-while-they-start", "ctrl-c", "kill"],
)
def test_processes_end_with_their_caller(tmp_path: Path, number: int, code: int, busy: int) -> None:
    """By Ctrl-C, which all of them get, and by a kill, of which only their caller knows."""
    words = [sys.executable, str(HERE / "lost_worker.py"), "processes", str(tmp_path), "linger"]
    with subprocess.Popen(
        words, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as caller:
        until(lambda: workers_of(caller.pid), caller)
        until(lambda: len(list(tmp_path.glob("lingers-*"))) >= busy, caller)
        workers = workers_of(caller.pid)
        os.killpg(caller.pid, number) if number == signal.SIGINT else caller.kill()
        _, error = caller.communicate()
    assert caller.returncode == code
    said = {signal.SIGINT: ["stopped; finished work is kept and taken up next time"]}
    assert error.splitlines() == said.get(number, [])
    until(lambda: not any(worker.is_running() for worker in workers))


def workers_of(caller: int) -> list[psutil.Process]:
    """Its processes that were begun by Python's `spawn`."""
    children = psutil.Process(caller).children()
    return [one for one in children if any("spawn_main" in word for word in one.cmdline())]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ENGINES if name != "processes"]


@pytest.mark.faults
@pytest.mark.parametrize("engine", ["processes", *SLOW])
def test_a_killed_workers_piece_is_done_again(engine: str, tmp_path: Path) -> None:
    needs(engine)
    done = run(engine, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-5:-1] == ["0 0", "1 1", "2 4", "3 9"]
    killed, again = (tmp_path / "begun-1").read_text().split()
    assert killed != again


@pytest.mark.parametrize("engine", ["processes", *SLOW])
def test_wrong_input_fails_once(engine: str, tmp_path: Path) -> None:
    needs(engine)
    done = run(engine, tmp_path, "refuse")
    assert done.returncode == 1, done.stderr
    assert re.search(r"error: worker .*: piece 1 is wrong: write another\.", done.stderr)
    assert (tmp_path / "refused").read_text() == "once\n"
