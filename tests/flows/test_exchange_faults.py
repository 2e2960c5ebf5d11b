"""Workers that exchange through a DVC remote that is dead at the start, or dies in the middle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from storage_server import Storage, storage
from test_exchange import STAGES, Side, two
from test_reproduce_server import Server, alone, finish, server, start
from toy_repository import MakeRepo, dvc, ran

from flows import dvc_lock
from flows.dvc_stages import Outcome, StageFailedError, stages
from flows.tasks import Work

__all__ = ["alone", "server", "storage", "two"]  # fixtures

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def remote(root: Path, storage: Storage) -> None:
    url = f"http://127.0.0.1:{storage.server_port}"
    for words in (("remote.storage.url", url), ("core.remote", "storage")):
        subprocess.run([sys.executable, "-m", "dvc", "config", *words], cwd=root, check=True)


def test_a_remote_that_does_not_answer(two: tuple[Work, Work], storage: Storage) -> None:
    """What was run stays; tried again, it is handed on and not run again."""
    one, other = two
    for work in two:
        remote(work.root, storage)
    train = stages(one.root)[1]
    storage.left = 0
    with pytest.raises(StageFailedError, match="cannot be pushed to the DVC remote"):
        one.reproduce(train)
    assert ran(one.root) == ["model"]
    assert (one.root / "model").is_file()
    side = one.exchange
    assert isinstance(side, Side)
    assert not side.server.entries  # nobody is told of what cannot be had
    assert not side.server.held

    storage.left = 1000
    one.reproduce(train)
    assert ran(one.root) == []
    assert other.reproduce(train) == Outcome.FETCHED
    assert ran(other.root) == []
    for name in ("model", "dvc.lock"):
        assert (one.root / name).read_bytes() == (other.root / name).read_bytes()


def test_a_remote_that_stops_before_a_pull(
    two: tuple[Work, Work], storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is told, and the stage is run here."""
    one, other = two
    for work in two:
        remote(work.root, storage)
    train = stages(one.root)[1]
    assert one.reproduce(train) == Outcome.RAN
    storage.left = 0
    with pytest.raises(StageFailedError, match="cannot be pushed to the DVC remote"):
        other.reproduce(train)
    (told,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
    assert told.startswith("train is not taken over, but run here. Outputs of train cannot be ")
    assert "failed to pull data from the cloud" in told
    assert ran(other.root) == ["model"]
    storage.left = 1000
    other.reproduce(train)
    assert ran(other.root) == []
    for name in ("model", "dvc.lock"):
        assert (one.root / name).read_bytes() == (other.root / name).read_bytes()


@pytest.mark.server
def test_a_flow_says_it_and_the_next_one_hands_on(
    server: Server, make_repo: MakeRepo, storage: Storage
) -> None:
    repos = [make_repo(STAGES, name) for name in ("one", "two")]
    for repo in repos:
        remote(repo, storage)
    storage.left = 0
    code, said = finish(start(repos[0], server.environment, "--exchange"))
    assert code == 1, said
    assert "Outputs cannot be pushed to the DVC remote." in said
    assert "1 ran, 1 failed (train)" in said  # `prepare` is not exchanged
    assert sorted(ran(repos[0])) == ["data", "model"]
    assert "up to date" in dvc(repos[0], "repro")

    code, said = finish(start(repos[0], server.environment, "--exchange"))
    assert code == 1, said
    assert "Outputs cannot be pushed to the DVC remote." in said

    storage.left = 1000
    code, said = finish(start(repos[0], server.environment, "--exchange"))
    assert (code, ran(repos[0])) == (0, []), said
    code, said = finish(start(repos[1], server.environment, "--exchange"))
    assert (code, ran(repos[1])) == (0, ["data"]), said
    for name in ("data", "model", "dvc.lock"):
        assert (repos[0] / name).read_bytes() == (repos[1] / name).read_bytes()
    assert dvc_lock.entries(repos[1], ["train"])
