"""Two checkouts that exchange through a DVC remote, without a server and with toy stages."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from toy_repository import MakeRepo, copy, dvc, ran

from flows import checkout, dvc_lock, exchange, tasks
from flows.dvc_stages import Outcome, Stage, StageStoppedError, stages
from segmodels.errors import SegmodelsError

STAGES = {"prepare": copy("data", "source-a"), "train": copy("model", "source-a")}


class Server:
    """What Prefect's server keeps, and who holds a turn."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}
        self.held: set[str] = set()


class Side(exchange.Exchange):
    """One worker, with a server of this process."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.stop, self.server = root, threading.Event(), server

    @contextmanager
    def turn(self, stage: Stage) -> Iterator[bool]:
        if stage.name in self.server.held:
            yield False
            return
        self.server.held.add(stage.name)
        try:
            yield True
        finally:
            self.server.held.remove(stage.name)

    def _tell(self, stage: Stage, entry: Any) -> None:
        self.server.entries[stage.name] = entry

    def _given(self, stage: Stage) -> Any:
        return self.server.entries.get(stage.name)


@pytest.fixture
def two(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[tasks.Work, tasks.Work]:
    for module in (tasks, exchange):
        monkeypatch.setattr(module, "get_run_logger", lambda: logging.getLogger("segmodels.test"))
    monkeypatch.setattr(tasks, "TURN_WAIT_SECONDS", 0.01)
    server, works = Server(), []
    for name in ("one", "two"):
        root = make_repo(STAGES, name)
        with (root / ".dvc/config").open("a") as config:
            storage = f"['remote \"storage\"']\n    url = {tmp_path}/remote\n"
            config.write(f"    remote = storage\n{storage}")
        side = Side(root, server)
        works.append(tasks.Work(root, side.stop, exchange=side, places=threading.Semaphore(1)))
    return works[0], works[1]


def test_the_second_takes_over_what_the_first_gave(two: tuple[tasks.Work, tasks.Work]) -> None:
    one, other = two
    train = stages(one.root)[1]
    dvc_lock.check_remote(one.root)
    assert one.reproduce(train) == Outcome.RAN
    assert other.reproduce(train) == Outcome.FETCHED
    assert ran(other.root) == []
    for name in ("model", "dvc.lock"):
        assert (one.root / name).read_bytes() == (other.root / name).read_bytes()
    assert not stages(other.root, ["train"])[0].changed

    (other.root / "source-a").write_text("another")  # it would not run the same
    assert other.reproduce(train) == Outcome.RAN


@pytest.mark.slow
def test_what_the_remote_lost_is_run_again(two: tuple[tasks.Work, tasks.Work]) -> None:
    one, other = two
    prepare, train = stages(one.root)
    assert [work.reproduce(prepare) for work in two] == [Outcome.RAN] * 2  # by every machine
    assert one.reproduce(train) == Outcome.RAN
    for path in (one.root.parent / "remote").rglob("*"):
        if path.is_file():
            path.unlink()
    assert other.reproduce(train) == Outcome.RAN
    assert "up to date" in dvc(other.root, "repro")
    # Pushed once more, though the server knew the entry.
    assert any(path.is_file() for path in (one.root.parent / "remote").rglob("*"))


def test_a_stage_that_another_does_waits_and_leaves_its_place(
    two: tuple[tasks.Work, tasks.Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, train = (Stage(name, name, (), changed=True) for name in ("prepare", "train"))
    _, other = two
    monkeypatch.setattr(tasks.Work, "_run", lambda *_: Outcome.RAN)
    assert isinstance(other.exchange, Side)
    taken = iter((True,))
    monkeypatch.setattr(other.exchange, "take", lambda _: next(taken))
    held, found = other.exchange.server.held, list[Outcome]()
    held.add("train")
    waiting = threading.Thread(target=lambda: found.append(other.reproduce(train)))
    waiting.start()
    assert other.reproduce(prepare) == Outcome.RAN  # in the only place there is
    assert not found
    held.remove("train")
    waiting.join()
    assert found == [Outcome.FETCHED]
    assert not held

    held.add("train")
    other.stop.set()
    with pytest.raises(StageStoppedError):
        other.reproduce(train)


def test_what_an_exchange_needs(two: tuple[tasks.Work, tasks.Work], make_repo: MakeRepo) -> None:
    stop = threading.Event()
    with pytest.raises(SegmodelsError, match="force runs every stage on every worker"):
        exchange.exchanging(two[0].root, stop, (), (), force=True)
    with pytest.raises(SegmodelsError, match="set PREFECT_API_URL"):
        exchange.exchanging(two[0].root, stop, (), (), force=False)
    with pytest.raises(SegmodelsError, match=r"names no remote .* dvc remote add"):
        dvc_lock.check_remote(make_repo(STAGES, "none"))


def test_every_machine_has_its_own_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path(checkout.__file__).parents[1]
    assert checkout.own_checkout() == {"directory": str(here)}
    assert Path.cwd() == here
    other = tmp_path / "other"
    (other / "params").mkdir(parents=True)
    (other / "params/protocols.yaml").touch()
    monkeypatch.setenv("SEGMODELS_ROOT", str(other))
    assert checkout.own_checkout() == {"directory": str(other)}
    monkeypatch.delenv("SEGMODELS_ROOT")
    monkeypatch.setattr(checkout, "_HERE", tmp_path)
    monkeypatch.setenv("PWD", str(other / "params"))
    assert checkout.own_checkout() == {"directory": str(other)}
    assert os.getcwd() == str(other)  # noqa: PTH109
