"""A Prefect server that is killed in the middle of a flow."""

from __future__ import annotations

import re

import psutil
import pytest
from test_reproduce_server import Server, alone, finish, server, start
from toy_repository import MakeRepo, copy, dvc, ran
from waiting import until

from segmodels.core.exits import DONE, PASSING

__all__ = ["alone", "server"]  # fixtures

pytestmark = [pytest.mark.faults, pytest.mark.server, pytest.mark.slow]

STAGES = {
    "first": {"cmd": f"touch begun; sleep 5; {copy('one', 'source-a')['cmd']}", "outs": ["one"]},
    "second": copy("two", "one"),
}


def kill(server: Server) -> None:
    """End the server and all its processes, so that nobody can say goodbye."""
    port = server.url.rpartition(":")[2].partition("/")[0]
    every = psutil.Process().children(recursive=True)
    (top,) = (one for one in every if one.ppid() == psutil.Process().pid and port in one.cmdline())
    for one in [*top.children(recursive=True), top]:
        one.kill()


def test_a_server_killed_in_the_middle_of_a_flow(server: Server, make_repo: MakeRepo) -> None:
    """What runs ends and is kept; the last line names the server; the next flow goes on from there.

    Prefect asks its server before each task and tries each question again for a minute; here once.
    """
    repo = make_repo(STAGES)
    once = {**server.environment, "PREFECT_CLIENT_MAX_RETRIES": "0"}
    flow = start(repo, once)
    until((repo / "begun").exists, flow)
    kill(server)
    code, said = finish(flow)
    assert code == PASSING, said
    (line,) = re.findall("error: (.*)", said)  # behind what Prefect prints without a line's end
    assert line.startswith(f"No Prefect server answers at PREFECT_API_URL={server.url}.")
    assert ran(repo) == ["one"]

    alone = {name: value for name, value in once.items() if name != "PREFECT_API_URL"}
    code, said = finish(start(repo, alone))
    assert code == DONE, said
    assert ran(repo) == ["two"]
    assert "up to date" in dvc(repo, "repro")
