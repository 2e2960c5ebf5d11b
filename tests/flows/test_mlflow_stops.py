"""An MLflow server that is killed while a stage tells it something, never answers, or refuses."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_project
from mlflow_database import held, stage
from quiet_server import QuietHandler, QuietServer, running

from segmodels import steps
from segmodels.runs.run import load_run

pytestmark = [pytest.mark.faults, pytest.mark.slow]

EXPERIMENT = {"experiment_id": "1", "name": "segmodels", "lifecycle_stage": "active"}
INFO = {"run_id": "a" * 32, "run_uuid": "a" * 32, "experiment_id": "1", "status": "RUNNING"}
PLACE = {"artifact_uri": "mlflow-artifacts:/1/a", "lifecycle_stage": "active", "start_time": 1}
ANSWERS: dict[str, Any] = {
    "experiments/get-by-name": {"experiment": EXPERIMENT},
    "experiments/get": {"experiment": EXPERIMENT},
    "experiments/search": {"experiments": [EXPERIMENT]},
    "runs/search": {},
    "runs/create": {"run": {"info": {**INFO, **PLACE}, "data": {}}},
    "runs/get": {"run": {"info": {**INFO, **PLACE}, "data": {}}},
}


class Stand(QuietServer):
    """Answers as MLflow does until it was asked for something, then fails everybody.

    Attributes:
        until: what it is asked for last; nothing if it fails from the start.
        status: what it then answers; 0 if it hangs up, -1 if it never answers.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.asked: list[str] = []
        self.until, self.status = "runs/create", 0
        self.failing = False
        self.over = threading.Event()

    def fail_from_the_start(self, status: int) -> None:
        self.status, self.failing = status, True


class _Handler(QuietHandler, http.server.BaseHTTPRequestHandler):
    server: Stand

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0].partition("/mlflow/")[2]
        self.server.asked.append(path or self.path)
        if self.server.failing:
            if self.server.status < 0:
                self.server.over.wait()
            elif self.server.status:
                self._answer(self.server.status, b"no")
            return
        self.server.failing = path == self.server.until
        self._answer(200, json.dumps(ANSWERS.get(path, {})).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()


@pytest.fixture
def stand() -> Iterator[Stand]:
    with running(Stand()) as one:
        yield one
        one.over.set()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Path) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    shutil.copy(empty, root / "mlflow.db")
    return root


def warning(error: str) -> str:
    """The only one that a stage printed."""
    (said,) = (one for one in error.splitlines() if one.startswith("warning: "))
    assert said.startswith("warning: MLflow took no ")
    assert "Traceback" not in error
    return said


def catches_up(root: Path) -> None:
    """The evidence is here, and the next board tells it to the database of the project."""
    assert len(list((root / "reports/local/evidence/published/plain").iterdir())) == 2
    assert "warning: " not in stage(root, "local_leaderboard")
    assert [run["tags"].get("run") for run in held(root)] == ["published", None]


def test_a_server_killed_in_the_middle_of_a_stage(root: Path, stand: Stand) -> None:
    warning(stage(root, "evaluate", "published", "plain", MLFLOW_TRACKING_URI=stand.address))
    assert "runs/create" in stand.asked
    assert len(stand.asked) > stand.asked.index("runs/create") + 1
    catches_up(root)


@pytest.mark.parametrize("until", ["", "runs/create"])
def test_a_server_that_never_answers(root: Path, stand: Stand, until: str) -> None:
    """It is asked twice and waited for as long as `MLFLOW_HTTP_REQUEST_TIMEOUT` says."""
    stand.until = until
    stand.status = -1
    stand.failing = not until
    settings = {"MLFLOW_TRACKING_URI": stand.address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
    said = warning(stage(root, "evaluate", "published", "plain", **settings))
    assert "127.0.0.1" in said
    assert "timed out" in said or "Timeout" in said
    failed = stand.asked[stand.asked.index(until) + 1 if until else 0 :]
    assert len(failed) == 2
    catches_up(root)


def test_a_training_beside_a_server_that_never_answers(root: Path, stand: Stand) -> None:
    stand.fail_from_the_start(-1)
    settings = {"MLFLOW_TRACKING_URI": stand.address, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
    warning(stage(root, "train", "tiny", **settings))
    assert len(stand.asked) == 2
    assert (root / "weights/trained/tiny/model.safetensors").is_file()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refuses the login (HTTP 401): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PAS"),
        (403, "forbids it (HTTP 403): MLFLOW_TRACKING_USERNAME may not write there, or the serv"),
    ],
)
@pytest.mark.parametrize("until", ["", "runs/create"])
def test_a_login_that_is_refused(
    root: Path, stand: Stand, until: str, status: int, words: str
) -> None:
    """Asked once; the line names the address, without a password in it, and the setting."""
    stand.until, stand.status, stand.failing = until, status, not until
    address = stand.address.replace("//", "//ada:secret@")
    said = warning(stage(root, "evaluate", "published", "plain", MLFLOW_TRACKING_URI=address))
    assert f"127.0.0.1:{stand.server_port} {words}" in said
    assert "secret" not in said
    assert len(stand.asked) == (stand.asked.index(until) + 1 if until else 0) + 1
    catches_up(root)
