"""The flow against a real Prefect server (with none at all: `test_end_to_end.py`).

Every flow runs in a process of its own, as it does for a user. One server serves them all.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import small_project
from toy_repository import PIPELINE, MakeRepo, copy, dvc, each, ran, write_repo
from waiting import text_of, until

pytestmark = pytest.mark.server

CHECKOUT = Path(__file__).parents[2]
OUTPUTS = ["raw-a", "raw-b", "data-a", "data-b", "model-a", "board", "dvc.lock"]


@dataclass(frozen=True)
class Server:
    url: str
    environment: Mapping[str, str]

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask(path, json.dumps(body).encode())

    def get(self, path: str) -> Any:
        return self._ask(path, None)

    def _ask(self, path: str, data: bytes | None) -> Any:
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json"}
        )
        for left in reversed(range(20)):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read() or "null")
            except urllib.error.HTTPError as error:
                # SQLite is locked by a flow; Prefect's own client asks again too.
                if error.code != 503 or not left:
                    raise
                time.sleep(0.5)
        raise AssertionError

    def runs(self, **body: Any) -> list[dict[str, Any]]:
        return list(self.post("/flow_runs/filter", {"sort": "START_TIME_DESC", **body}))

    def tasks(self, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The task runs of a flow run by name, once the server has heard of their ends."""

        def states() -> dict[str, dict[str, Any]]:
            found = self.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
            return {task["name"]: task for task in found}

        until(
            lambda: all(t["state"]["name"] not in ("Running", "Pending") for t in states().values())
        )
        return states()

    def artifacts(self, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return {item["type"]: item for item in self.all_artifacts(run)}

    def all_artifacts(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every artifact of a flow run, several of one type too."""
        body = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
        return list(self.post("/artifacts/filter", body))


def gone(pid: str) -> bool:
    return not Path(f"/proc/{pid.strip()}").exists()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment for flows in which there is no server."""
    home = tmp_path_factory.mktemp("prefect")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return {
        **kept,
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(CHECKOUT),
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture(scope="module")
def server(alone: dict[str, str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prefect = [sys.executable, "-m", "prefect"]
    url = f"http://127.0.0.1:{port}/api"
    with (
        Path(alone["PREFECT_HOME"], "server.log").open("wb") as log,
        subprocess.Popen(
            [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=alone,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            until(lambda: answers(url), process)
            yield Server(url, {**alone, "PREFECT_API_URL": url})
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def start(
    repo: Path, environment: Mapping[str, str], *arguments: str, module: str = "flows.reproduce"
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *module.split(), "--root", str(repo), *arguments],
        cwd=CHECKOUT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def stop(process: subprocess.Popen[str]) -> None:
    """End a served flow: Prefect's runner can miss a signal that comes while it cancels a run."""
    while process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate()
    return process.returncode, output


def reproduce(server: Server, repo: Path, *arguments: str, **more: str) -> dict[str, Any]:
    """Run the flow to its end and return its run as the server remembers it."""
    _, output = finish(start(repo, server.environment, *arguments, **more))
    run = server.runs(limit=1)[0]
    assert run["name"] in output
    return run


def test_same_as_dvc_repro_and_only_what_is_missing(
    server: Server, make_repo: MakeRepo, tmp_path: Path
) -> None:
    repo = make_repo()
    (repo / "reports" / "local").mkdir(parents=True)
    (repo / "reports" / "local" / "leaderboard.md").write_text("# The board")
    run = reproduce(server, repo, "--jobs", "1")
    assert run["state"]["message"] == "6 ran"
    assert sorted(ran(repo)) == sorted(OUTPUTS[:-1])

    tasks = server.tasks(run)
    assert {name: task["state"]["name"] for name, task in tasks.items()} == dict.fromkeys(
        ["download@a", "download@b", "prepare@a", "prepare@b", "train@a", "leaderboard"],
        "Completed",
    )
    assert set(tasks["train@a"]["tags"]) == {"train", "segmodels", "gpu"}
    assert set(tasks["leaderboard"]["tags"]) == {"leaderboard", "segmodels"}
    waited = {parent["id"] for parent in tasks["leaderboard"]["task_inputs"]["wait_for"]}
    assert waited == {tasks["prepare@b"]["id"], tasks["train@a"]["id"]}

    artifacts = server.artifacts(run)
    rows = json.loads(artifacts["table"]["data"])
    assert [row["outcome"] for row in rows] == ["ran"] * 6
    assert artifacts["progress"]["data"] == 100.0
    assert artifacts["markdown"]["data"] == "# The board"
    logs = {"logs": {"task_run_id": {"any_": [tasks["train@a"]["id"]]}}}
    until(
        lambda: any(
            "Running stage 'train@a'" in log["message"] for log in server.post("/logs/filter", logs)
        )
    )

    twin = write_repo(tmp_path / "twin", PIPELINE)
    dvc(twin, "repro")
    assert [(repo / name).read_text() for name in OUTPUTS] == [
        (twin / name).read_text() for name in OUTPUTS
    ]
    assert "up to date" in dvc(repo, "repro")

    (repo / "source-b").write_text("new")
    run = reproduce(server, repo)
    assert run["state"]["message"] == "3 ran"
    assert ran(repo) == ["raw-b", "data-b", "board"]

    run = reproduce(server, twin, module="flows.parts leaderboard")  # needs everything
    assert run["state"]["message"] == "Nothing to do: all 6 stages are up to date."
    assert server.tasks(run) == {}


def test_a_run_under_a_suite(server: Server, tmp_path: Path) -> None:
    """Images under way as a progress artifact, every condition in a table, errors in one line."""
    root = small_project.make(tmp_path / "project")
    settings = {
        **server.environment,
        "SEGMODELS_CACHE": str(root / ".cache"),
        "SEGMODELS_MIRROR": str(root.parent / "mirror"),
    }
    there = Server(server.url, {**settings, "OMP_NUM_THREADS": "1"})
    asked = ("--run", "published", "--suite", "quick")
    run = reproduce(there, root, *asked, module="flows.parts robustness")
    assert run["state"]["name"] == "Completed", run["state"]["message"]
    assert run["state"]["message"].startswith("published under quick: clean ")
    table = next(a for a in server.all_artifacts(run) if a["type"] == "table")
    rows = json.loads(table["data"])
    found = [(row["disturbance"], row["strength"]) for row in rows]
    assert found == [("gaussian_noise", 3.0), ("parameter_noise", 0.01)]
    (metrics,) = (root / "reports/local/metrics").rglob("*robustness-quick.json")
    counted = json.loads(metrics.read_text())["mIoU"]
    assert [row["mIoU"] for row in rows] == pytest.approx(list(counted.values()), abs=0.01)
    shown = {a["description"]: a["data"] for a in server.all_artifacts(run) if a != table}
    assert shown == {
        "published, undisturbed: 3 of 3 images": 100.0,
        "published, quick: 6 of 6 images": 100.0,
    }


@pytest.mark.slow
def test_a_training_and_a_claim(server: Server, tmp_path: Path) -> None:
    """Without DVC: inputs first, then progress in steps, the verdicts as a table."""
    root = small_project.make(tmp_path / "project")
    settings = {
        **server.environment,
        "SEGMODELS_CACHE": str(root / ".cache"),
        "SEGMODELS_MIRROR": str(root.parent / "mirror"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }
    there = Server(server.url, {**settings, "OMP_NUM_THREADS": "1"})
    run = reproduce(there, root, "--run", "tiny", module="flows.parts train")
    assert run["state"]["name"] == "Completed", run["state"]["message"]
    shown = {one["description"]: one["data"] for one in server.all_artifacts(run)}
    assert shown["tiny, training: 3 of 3 steps"] == 100.0
    assert (root / "weights/trained/tiny/model.json").is_file()

    asked = ("--claims", "toy_open", "toy_closed", "toy_nothing")
    run = reproduce(there, root, *asked, module="flows.parts verify-claim")
    message = run["state"]["message"]
    assert re.fullmatch(r"toy_open: \w+, toy_closed: blocked, toy_nothing: failed", message), (
        message
    )
    (table,) = (one for one in server.all_artifacts(run) if one["type"] == "table")
    assert [row["claim"] for row in json.loads(table["data"])] == ["toy_open", "toy_closed"]


def test_a_failed_stage_stops_only_its_descendants(server: Server, make_repo: MakeRepo) -> None:
    broken = copy("data-${item.x}", "raw-${item.x}")
    broken["cmd"] = f"test -e allow-${{item.x}} && {broken['cmd']}"
    repo = make_repo({**PIPELINE, "prepare": each(["a", "b"], broken)})
    (repo / "allow-b").touch()
    process = start(repo, server.environment)
    code, _ = finish(process)
    assert code == 1
    run = server.runs(limit=1)[0]
    assert run["state"]["name"] == "Failed"
    assert (
        run["state"]["message"] == "3 ran, 1 failed (prepare@a), 2 skipped (train@a, leaderboard)"
    )
    assert sorted(ran(repo)) == ["data-b", "raw-a", "raw-b"]
    states = {name: task["state"]["name"] for name, task in server.tasks(run).items()}
    assert states.pop("prepare@a") == "Failed"
    assert states.pop("train@a") == states.pop("leaderboard") == "NotReady"
    assert set(states.values()) == {"Completed"}

    (repo / "allow-a").touch()
    run = reproduce(server, repo)
    assert run["state"]["message"] == "3 ran"
    assert ran(repo) == ["data-a", "model-a", "board"]


@pytest.mark.slow  # retries wait
def test_wrong_input_is_not_tried_again(server: Server, make_repo: MakeRepo) -> None:
    def stage(code: int) -> dict[str, Any]:
        out = f"out-{code}"
        again = f"echo {out} >> log; test $(grep -cx {out} log) = 2 || exit {code}"
        return {"cmd": f"{again}; touch {out}", "outs": [out]}

    repo = make_repo({"wrong": stage(1), "busy": stage(75), "killed": stage(137)})
    run = reproduce(server, repo, "--retries", "1", "--jobs", "3")
    assert run["state"]["message"] == "2 ran, 1 failed (wrong)"
    assert sorted(ran(repo)) == ["out-1", "out-137", "out-137", "out-75", "out-75"]


def test_cancel_ends_the_processes_of_the_stage(server: Server, make_repo: MakeRepo) -> None:
    long = {"cmd": "sleep 300 & echo $! > pid; wait", "outs": ["x"]}
    repo = make_repo({"long": long, "after": copy("y", "x")})
    process = start(repo, server.environment)
    text_of(repo / "pid")
    run = server.runs(limit=1)[0]
    server.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
    assert finish(process)[0] == 1
    assert gone((repo / "pid").read_text())
    run = server.get(f"/flow_runs/{run['id']}")
    assert run["state"]["name"] == "Cancelled"
    assert run["state"]["message"] == "1 skipped (after), 1 cancelled (long)"


@pytest.mark.slow
def test_waits_for_whoever_is_at_a_stage(server: Server, make_repo: MakeRepo) -> None:
    hold = "touch started; while [ ! -e go ]; do sleep 0.1; done; cp source-a x"
    repo = make_repo({"one": {"cmd": hold, "outs": ["x"]}, "two": copy("y", "x")})
    command = [sys.executable, "-m", "dvc", "repro", "one"]
    with subprocess.Popen(command, cwd=repo, env=server.environment, stdout=subprocess.DEVNULL):
        until((repo / "started").exists)
        process = start(repo, server.environment)
        assert process.stdout is not None
        waited = any("Another process is at one" in line for line in process.stdout)
        (repo / "go").touch()
    assert waited
    assert finish(process)[0] == 0
    assert server.runs(limit=1)[0]["state"]["message"] == "1 ran, 1 unchanged"
    assert ran(repo) == ["y"]


def test_one_gpu_is_shared(server: Server, make_repo: MakeRepo) -> None:
    server.post("/v2/concurrency_limits/", {"name": "gpu", "limit": 1})
    try:
        stage = {"cmd": "date +%s.%N > ${item.x}; sleep 1; date +%s.%N >> ${item.x}"}
        repo = make_repo({"train": each(["a", "b"], {**stage, "outs": ["${item.x}"]})})
        assert reproduce(server, repo)["state"]["message"] == "2 ran"
        (_, end), (begin, _) = sorted(
            [float(moment) for moment in (repo / name).read_text().split()] for name in "ab"
        )
        assert end < begin
    finally:
        request = urllib.request.Request(server.url + "/v2/concurrency_limits/gpu", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()


@pytest.mark.slow
def test_a_cron_deployment_gets_and_runs_scheduled_runs(
    server: Server, make_repo: MakeRepo
) -> None:
    long = {"cmd": "sleep 300 & echo $! > pid; wait", "outs": ["x"]}
    repo = make_repo({"long": long})
    process = start(repo, server.environment, "--serve", "--cron", "0 3 * * *")
    try:
        body = {"deployments": {"name": {"any_": ["nightly"]}}}
        until(lambda: server.post("/deployments/filter", body))
        (deployment,) = server.post("/deployments/filter", body)
        scheduled = {
            "deployments": {"id": {"any_": [deployment["id"]]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        until(lambda: server.runs(**scheduled))
        first = min(run["expected_start_time"] for run in server.runs(**scheduled))
        assert "T03:00:00" in first

        # The served process picks a run up, and Cancel reaches the stage through it.
        run = server.post(f"/deployments/{deployment['id']}/create_flow_run", {})
        text_of(repo / "pid")
        server.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})
        until(lambda: gone((repo / "pid").read_text()))
        until(lambda: server.get(f"/flow_runs/{run['id']}")["state"]["name"] == "Cancelled")
    finally:
        stop(process)


#: Two turns at a stage, one inside the other, twice.
TURNS = """
import logging
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from flows import turns
turns.RENEWAL_SECONDS = 0.05
log = logging.getLogger()
with get_client(sync_client=True) as client:
    client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="a b@c", limit=1))
for _ in range(2):
    with turns.turn("a b@c", log) as first, turns.turn("a b@c", log) as second:
        print(first, second)
"""


@pytest.mark.slow
def test_a_turn_at_a_stage_is_of_one_worker(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TURNS],
        env=dict(server.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "False"] * 2, done.stderr
    assert "Traceback" not in done.stderr
