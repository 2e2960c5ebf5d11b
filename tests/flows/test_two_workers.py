"""Two workers in two clones, one Prefect server, one DVC remote, one MLflow server, one suite.

`pytest -m slow tests/flows/test_two_workers.py`: two minutes each on two cores.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from dvc_project import CHECKOUT, Repository, build
from postgres_server import free_port
from test_reproduce_server import Server, alone, answers, server
from waiting import until

__all__ = ["alone", "server"]  # fixtures

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(1200)]

SEEDS = range(4)
RUNS = ["published", *(f"tiny{seed}" for seed in SEEDS)]
#: A training takes some seconds, so that there is a middle.
STEPS = 60
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def make(folder: Path) -> Repository:
    """A repository to clone: four seeds of a training, one disturbed, and released weights."""
    made = build(folder / "origin")
    made.edit("recipes/tiny.yaml", "steps: 3", f"steps: {STEPS}")
    text = (made.root / "params/runs/tiny.yaml").read_text()
    for seed in SEEDS:
        changed = text.replace("seed: 0", f"seed: {seed}")
        changed = changed if seed == 0 else changed.replace("robustness: [quick]\n", "")
        (made.root / f"params/runs/tiny{seed}.yaml").write_text(changed)
    (made.root / "params/suites/quick.yaml").write_text(f"title: all\nruns: [{', '.join(RUNS)}]\n")
    made.run("segmodels.cli", "suite", "quick")
    (made.root / "mlflow.py").unlink()
    (made.root / "prefect.yaml").write_bytes((CHECKOUT / "prefect.yaml").read_bytes())
    with (made.root / ".dvc/config").open("a") as config:
        config.write(
            f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {folder}/remote\n"
        )
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "all")
    return made


@dataclass(frozen=True)
class Clone:
    root: Path
    environment: dict[str, str]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", *words],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def records(self) -> set[str]:
        """What was computed here: nothing but computing writes a record."""
        return {path.stem for path in (self.root / "reports/local/records").glob("*.json")}

    def evidence(self) -> dict[str, bytes]:
        home = self.root / "reports/local/evidence"
        return {str(one.relative_to(home)): one.read_bytes() for one in home.rglob("*.json*")}


def clone(origin: Repository, name: str, settings: dict[str, str]) -> Clone:
    root = origin.root.parent / name
    origin.git("clone", "-q", str(origin.root), str(root))
    own = {
        "PWD": str(root),
        "PYTHONPATH": str(root),
        "DVC_SITE_CACHE_DIR": str(root.parent / f"site-{name}"),
        "SEGMODELS_MIRROR": str(origin.root.parent / "mirror"),
    }
    return Clone(root, {**settings, "OMP_NUM_THREADS": "1", **own})


@contextmanager
def started(
    command: str, cwd: Path, settings: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", *command.split()]
    with log.open("wb") as stream:
        process = subprocess.Popen(words, cwd=cwd, env=settings, stdout=stream, stderr=stream)
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started, so that nobody can say goodbye."""
    if process.poll() is None:
        first = psutil.Process(process.pid)
        for each in (first, *first.children(True)):
            each.kill()
    process.wait()


def mlflow_server(port: int, folder: Path) -> str:
    places = f"--backend-store-uri {uri(folder)} --default-artifact-root {folder}/artifacts"
    return f"mlflow server --host 127.0.0.1 --port {port} --workers 1 {places}"


def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


@pytest.mark.parametrize("kill", [False, True])
def test_a_suite_by_two_workers(server: Server, tmp_path: Path, kill: bool) -> None:
    origin, port, pool = make(tmp_path), free_port(), f"pool-{kill}".lower()
    settings = {**server.environment, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    settings["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    one, two = (clone(origin, name, settings) for name in ("one", "two"))
    one.run("prefect", "work-pool", "create", pool, "--type", "process")
    one.run("prefect", "--no-prompt", "deploy", "--name", "reproduce-together", "--pool", pool)
    with ExitStack() as stack:
        log = tmp_path / "mlflow.log"
        stack.enter_context(started(mlflow_server(port, tmp_path), tmp_path, settings, log))
        until(lambda: answers(f"http://127.0.0.1:{port}"))
        workers = []
        for each in (one, two):
            name = each.root.name
            command = f"prefect worker start --pool {pool} --limit 1 --name {name}"
            log = tmp_path / f"{name}.log"
            workers.append(stack.enter_context(started(command, each.root, each.environment, log)))
        began = time.monotonic()
        asked = [ask(one) for _ in workers]
        if kill:
            until(lambda: len(one.records() | two.records()) >= 3 and one.records())
            end(workers[0])
        over = until_ended(server, asked, 1 if kill else 2)
        print(f"killed: {kill}; {time.monotonic() - began:.0f} s: {over}")
    assert set(over) == {"Completed"}
    check(one, two, kill)
    check_tracking(tmp_path)
    alone = clone(origin, "alone", {**settings, "MLFLOW_TRACKING_URI": "sqlite:///a.db"})
    alone.run("dvc", "repro")
    assert alone.evidence() == two.evidence()


def ask(clone: Clone) -> str:
    """Ask for a run; its id."""
    told = clone.run("prefect", "deployment", "run", "reproduce/reproduce-together")
    return re.findall(r"UUID: ([0-9a-f-]{36})", told)[0]


def until_ended(server: Server, asked: list[str], number: int) -> dict[str, str]:
    """Wait until so many of the runs are over; messages by the names of their states."""
    over: dict[str, str] = {}

    def look() -> bool:
        runs = [server.get(f"/flow_runs/{one}") for one in asked]
        final = [run["state"] for run in runs if run["state"]["type"] in FINAL]
        over.update({state["name"]: state["message"] for state in final})
        time.sleep(1.0)
        return len(final) >= number

    until(look)
    return over


def check(one: Clone, two: Clone, kill: bool) -> None:
    """Everything was computed once, both took part, and all of it is on one board.

    A worker that is killed may have ended one stage that it had not handed on yet.
    """
    counted = one.records(), two.records()
    print("computed by each:", [len(names) for names in counted])
    evaluated = {f"{run}-plain" for run in RUNS}
    assert counted[0] | counted[1] == evaluated | {f"tiny{seed}-train" for seed in SEEDS}
    assert all(counted)
    assert len(counted[0] & counted[1]) <= kill
    assert len(two.evidence()) == 2 * (len(RUNS) + 2)  # two conditions of one run
    board = "reports/local/leaderboard.json"
    rows = json.loads((two.root / board).read_text())["rows"]
    assert {row.get("run") for row in rows} >= set(RUNS)
    if not kill:
        assert one.evidence() == two.evidence()
        assert (one.root / board).read_bytes() == (two.root / board).read_bytes()


def check_tracking(folder: Path) -> None:
    """MLflow has every evidence once, from whichever worker."""
    code = (
        "import json, mlflow, sys\n"
        "runs = mlflow.MlflowClient(sys.argv[1]).search_runs(['1'], \"tags.current = 'true'\")\n"
        "print(json.dumps([run.info.run_name for run in runs]))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, uri(folder)], check=True, capture_output=True, text=True
    )
    names = sorted(json.loads(told.stdout))
    assert names == ["leaderboard", *(f"tiny{seed} plain" for seed in SEEDS), "toy_open"]
