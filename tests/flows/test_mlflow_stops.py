"""An MLflow server that is killed while a stage tells it something."""

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


class Stand(http.server.ThreadingHTTPServer):
    """Answers as MLflow does until a run was made, then hangs up on everybody."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.killed = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Stand

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0].partition("/mlflow/")[2]
        self.server.asked.append(path or self.path)
        if self.server.killed:
            return
        self.server.killed = path == "runs/create"
        body = json.dumps(ANSWERS.get(path, {})).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()


@pytest.fixture
def stand() -> Iterator[Stand]:
    with Stand() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def test_a_server_killed_in_the_middle_of_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Path, stand: Stand
) -> None:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    shutil.copy(empty, root / "mlflow.db")
    address = f"http://127.0.0.1:{stand.server_port}"
    error = stage(root, "evaluate", "published", "plain", MLFLOW_TRACKING_URI=address)
    assert "runs/create" in stand.asked
    assert len(stand.asked) > stand.asked.index("runs/create") + 1
    assert len([one for one in error.splitlines() if one.startswith("warning: ")]) == 1, error
    assert "warning: MLflow" in error
    assert "Traceback" not in error
    assert len(list((root / "reports/local/evidence/published/plain").iterdir())) == 2
    assert "warning: " not in stage(root, "local_leaderboard")  # the next board catches up
    assert [run["tags"].get("run") for run in held(root)] == ["published", None]
