"""`flows.servers`: what was started is known for ever, and nothing else is ended."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from postgres_server import free_port
from test_reproduce_server import CHECKOUT

from flows import prefect_server, servers
from flows.service import Service, end
from segmodels.core.files import write_json
from segmodels.errors import SegmodelsError

CHILD = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(99)'])"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path))
    (tmp_path / "servers").mkdir()
    return tmp_path


@pytest.fixture
def service(cache: Path) -> Iterator[Service]:
    """A process with a child, as `up` would have started it."""
    started = servers._start("one", [sys.executable, "-c", CHILD], os.environ, "http://here")
    yield started
    end(started)


def keep(*services: Service) -> None:
    servers._keep({one.name: one for one in services})


def child_of(service: Service) -> psutil.Process:
    process = psutil.Process(service.pid)
    while not process.children():
        assert process.is_running()
    (child,) = process.children()
    return child


def test_down_ends_a_service_with_its_children(service: Service) -> None:
    keep(service)
    assert servers.running() == [service]
    child = child_of(service)
    assert servers.down() == [service]
    assert service.process is None
    assert not child.is_running()
    assert servers.running() == servers.down() == []


def test_what_a_killed_service_left_behind_is_ended(service: Service) -> None:
    """Its children keep the port, and nobody could start it again."""
    child, process = child_of(service), psutil.Process(service.pid)
    keep(service)
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert [one.pid for one in service.left] == [child.pid]
    assert servers.running() == []
    assert servers.down() == []
    assert not child.is_running()
    assert service.left == []


def test_another_process_of_the_same_number_is_left_alone(service: Service) -> None:
    """After a restart of the machine a number in the record may be anybody's."""
    stranger = Service("one", service.pid, service.born - 3600, "", "")
    keep(stranger)
    assert servers.running() == servers.down() == []
    assert service.process is not None


LOG = """Traceback (most recent call last):
  File "x.py", line 3, in <module>
    raise OSError
psycopg2.OperationalError: FATAL:  password authentication failed for user "mlflow"

(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""


@pytest.mark.parametrize(
    ("log", "said"),
    [(LOG, 'FATAL: password authentication failed for user "mlflow"'), ("one\ntwo\n", "two")],
)
def test_a_service_that_ends_as_it_starts_is_named_with_the_reason(
    cache: Path, log: str, said: str
) -> None:
    code = f"import sys; sys.stderr.write({log!r}); exit(3)"
    made = servers._start("broken", [sys.executable, "-c", code], os.environ, "")
    with pytest.raises(SegmodelsError) as caught:
        servers._wait(made, lambda: False)
    assert "broken ended as it started: " in str(caught.value)
    assert f"{said}. " in str(caught.value)
    assert str(caught.value).endswith("broken.log has all of it.")


def test_a_start_that_fails_leaves_nothing_behind(
    cache: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran before stays."""
    keep(service)
    started: list[Service] = []

    def fail(here: dict[str, Service], *_: int) -> list[Service]:
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        started.append(servers._start("new", sleep, os.environ, ""))
        here["new"] = started[0]
        raise SegmodelsError("no")

    monkeypatch.setattr(servers, "_start_missing", fail)
    with pytest.raises(SegmodelsError, match="no"):
        servers.up(1, 2)
    assert started[0].process is None
    assert [one.name for one in servers.running()] == [service.name]


def test_a_driver_that_prefect_cannot_use_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql://a:b@c/d")
    with pytest.raises(SegmodelsError, match=r"_URL begins with postgresql\+asyncpg://") as caught:
        servers.up(1, 2)
    assert "a:b" not in str(caught.value)
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a:b@cc@d/e")
    with pytest.raises(SegmodelsError, match=r"_URL: expected .*%40") as caught:
        servers.up(1, 2)
    assert "cc" not in str(caught.value)


def test_the_worker_knows_the_login_that_the_server_asks_for(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "boss:secret")
    assert prefect_server.environment("x", cache)["PREFECT_API_AUTH_STRING"] == "boss:secret"
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "ada:other")
    assert prefect_server.environment("x", cache)["PREFECT_API_AUTH_STRING"] == "ada:other"


def test_a_port_of_somebody_else_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SegmodelsError, match=r"is taken by another program; .* --mlflow-port"):
            servers._check_free(taken.getsockname()[1], "--mlflow-port")


def test_status_says_when_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert servers.main(["status"]) == 1
    assert servers.main(["down"]) == 0
    assert capsys.readouterr().out == 2 * "Nothing runs that `up` started.\n"


def test_status_says_what_is_missing(
    cache: Path,
    service: Service,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(dataclasses.replace(service, name="prefect"))
    (cache / "servers" / "mlflow.log").write_text("killed")
    assert servers.main(["status"]) == 1
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("prefect  process ")
    assert second == f"mlflow   does not run; `up` starts it  {cache / 'servers' / 'mlflow.log'}"
    assert third == "worker   does not run; `up` starts it"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret@127.0.0.1:9")
    assert servers.main(["status"]) == 1
    told = capsys.readouterr().out
    assert "mlflow   does not answer at http://…@127.0.0.1:9 (MLFLOW_TRACKING_URI)" in told
    assert "mlflow.log" not in told


def test_a_broken_record_is_named(cache: Path) -> None:
    write_json(cache / "servers" / "running.json", [{"name": "x"}])
    assert servers.main(["status"]) == 1


#: Saves a webhook on the server, has it told of verdicts, and tells of one.
TELLING = """
import sys
from page_rows import make_row, unrun
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from flows import automations, verdict_events
from segmodels.leaderboard import render_json
from segmodels.leaderboard.history.published import read_board
words = {"subject": "{{subject}}", "body": "{{body}}"}
block = CustomWebhookNotificationBlock(name="x", url=sys.argv[1], json_data=words)
block.save("told", overwrite=True)
assert automations.main(["--notify", "custom-webhook/told"]) == 0
sides = (unrun(claim="a"), make_row(claim="a"))
boards = (read_board(render_json([row]), "a test").rows for row in sides)
for change in verdict_events.changed(*boards):
    verdict_events._emit(change)
"""


def heard_of_a_verdict(settings: dict[str, str]) -> dict[str, str]:
    """What a webhook gets when a verdict changes."""
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        command = [sys.executable, "-c", TELLING, f"http://127.0.0.1:{hook.server_port}/hook"]
        known = {**settings, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'tests'}"}
        subprocess.run(command, cwd=CHECKOUT, env=known, check=True, capture_output=True)
        told = heard.get(timeout=60)
        hook.shutdown()
    return dict(json.loads(told))


@pytest.mark.slow
def test_up_and_down(cache: Path) -> None:
    """Two minutes: servers, deployments, automations and a worker, twice up, once down."""
    ports = (free_port(), free_port())
    settings = {**os.environ, "SEGMODELS_CACHE": str(cache), "PYTHONPATH": str(CHECKOUT)}
    settings["MLFLOW_TRACKING_URI"] = f"sqlite:///{cache}/mlflow.db"
    asked = [sys.executable, "-m", "flows.servers"]
    named = ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]

    def call(*words: str) -> str:
        done = subprocess.run(
            [*asked, *words],
            cwd=CHECKOUT,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        first = call("up", *named)
        assert call("up", *named) == call("status") == first
        assert f"http://127.0.0.1:{ports[0]}" in first
        body = json.dumps({}).encode()
        address = f"http://127.0.0.1:{ports[0]}/api/deployments/filter"
        request = urllib.request.Request(address, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            names = {one["name"] for one in json.loads(answer.read())}
        single = {"verify-claim", "train", "robustness", "leaderboard", "watch"}
        assert names == {"reproduce", "reproduce-together", *single}
        told = heard_of_a_verdict({**settings, "PREFECT_API_URL": address.partition("/deploy")[0]})
        assert "a: blocked \u2192 verified 50.02 of 50" in told["subject"]
        assert "Within 0.105 points" in told["body"]
    finally:
        ended = call("down")
    assert ended.count("process") == 3
    assert all(psutil.pid_exists(int(line.split()[2])) is False for line in ended.splitlines())
