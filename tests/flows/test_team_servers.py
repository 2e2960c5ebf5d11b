"""`flows.servers` for a team: PostgreSQL behind both servers, files in S3, and a login."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow_database import held, migrated
from postgres_server import PASSWORD, Postgres, free_port
from test_reproduce_server import CHECKOUT
from test_ten_writers import WRITERS, assert_nothing_is_lost, write
from test_tracking_board import project
from waiting import until

from flows.mlflow_server import PRIVATE

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.server]

ADMIN = ("admin", "a-secret-password")
RUNNER = ("runner", "another-password")
PREFECT = ("crew", "prefect-secret")
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "aws-secret-key"}


def asked(
    address: str, body: Any = None, user: tuple[str, str] | None = None, **headers: str
) -> tuple[int, Any]:
    """Code and answer of a request."""
    known = {"content-type": "application/json", **headers}
    if user:
        known["authorization"] = f"Basic {base64.b64encode(':'.join(user).encode()).decode()}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, known)) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, None


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    """The address of an S3 server with one bucket."""
    if find_spec("moto") is None:
        pytest.skip("moto is not installed (extra: dev)")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with (tmp_path / "s3.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    put = urllib.request.Request(f"{address}/bucket", method="PUT")

    def answers() -> bool:
        try:
            with urllib.request.urlopen(put):
                return True
        except OSError:
            return False

    try:
        until(answers, process)
        yield address
    finally:
        process.terminate()
        process.wait()


def keys(storage: str) -> list[str]:
    """What lies in the bucket."""
    with urllib.request.urlopen(f"{storage}/bucket?list-type=2&max-keys=1000") as answer:
        text = answer.read().decode()
    return [part.partition("</Key>")[0] for part in text.split("<Key>")[1:]]


def test_a_team(tmp_path: Path, empty: Path, postgres: Postgres, storage: str) -> None:
    root = project(tmp_path / "project", empty)
    runs, tasks = postgres.database(), postgres.database()
    secret = {
        "MLFLOW_BACKEND_STORE_URI": runs,
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "cookie-secret",
        "PREFECT_API_DATABASE_CONNECTION_URL": tasks.replace("postgresql:", "postgresql+asyncpg:"),
        "PREFECT_SERVER_API_AUTH_STRING": ":".join(PREFECT),
        "PREFECT_API_AUTH_STRING": ":".join(PREFECT),
    }
    settings = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
        **secret,
        **KEYS,
        "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/mlflow",
        "MLFLOW_S3_ENDPOINT_URL": storage,
        "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*,mlflow.example.org",
        "SEGMODELS_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]),
    }
    ports = (free_port(), free_port())

    def call(*words: str) -> str:
        command = [sys.executable, "-m", "flows.servers", *words]
        done = subprocess.run(
            command, cwd=CHECKOUT, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    here = f"http://127.0.0.1:{ports[1]}"
    try:
        call("up", "--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]))
        assert_closed(here)
        assert_no_secret_is_seen(tmp_path / "cache" / "servers")
        name, password = RUNNER
        made = asked(
            f"{here}/api/2.0/mlflow/users/create", {"username": name, "password": password}, ADMIN
        )
        assert made[0] == 200
        login = {
            "MLFLOW_TRACKING_URI": here,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": password,
        }
        write(root, login, [tmp_path / f"cache-{me}" for me in range(WRITERS)])
        deployments = f"http://127.0.0.1:{ports[0]}/api/deployments/filter"
        assert asked(deployments, {})[0] == 401
        assert len(asked(deployments, {}, PREFECT)[1]) == number_of(tasks, "deployment") >= 6
    finally:
        assert call("down").count("process") == 3
    assert_everything_came(root, runs, storage)


def assert_closed(here: str) -> None:
    """Nobody without a login, and no other name of this host, which a page elsewhere could use."""
    search = f"{here}/api/2.0/mlflow/experiments/search?max_results=5"
    assert asked(search)[0] == asked(search, user=("admin", "wrong"))[0] == 401
    assert asked(search, user=ADMIN)[0] == 200
    assert asked(search, user=ADMIN, Host="mlflow.example.org")[0] == 200
    assert asked(search, user=ADMIN, Host="evil.example.org")[0] == 403


def assert_no_secret_is_seen(folder: Path) -> None:
    """Neither on a command line, nor in a file, nor in the environment of the worker."""
    for service in json.loads((folder / "running.json").read_text()):
        process = psutil.Process(service["pid"])
        family = [process, *process.children(recursive=True)]
        assert not any("secret" in " ".join(one.cmdline()) for one in family)
        if service["name"] == "worker":
            assert not set(process.environ()) & set(PRIVATE)
            assert process.environ()["MLFLOW_TRACKING_USERNAME"] == "admin"
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(texts) >= 5
    hidden = (PASSWORD, "cookie-secret", ADMIN[1], PREFECT[1])
    assert not [value for value in hidden if value.encode() in b"".join(texts)]


def number_of(address: str, table: str) -> int:
    import psycopg2

    connection = psycopg2.connect(address)
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        (found,) = cursor.fetchone()
    connection.close()
    return int(found)


def assert_everything_came(root: Path, runs: str, storage: str) -> None:
    """Rows are in PostgreSQL, files in S3, and nothing in the project."""
    assert held(root) == []
    assert not (root / "mlartifacts").exists()
    stored = keys(storage)
    assert sum(name.endswith("per_class.json") for name in stored) > WRITERS
    assert all(name.startswith("mlflow/") for name in stored)
    code, _, error = migrated(root, runs, f"sqlite:///{root}/mlflow.db", SEGMODELS_ROOT=str(root))
    assert code == 0, error
    assert_nothing_is_lost(root)
