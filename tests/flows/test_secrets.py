"""Credentials stay where their user put them: not in files, messages, logs or MLflow."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import small_project
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import schedule, tracking
from segmodels import cli
from segmodels.errors import PassingError, SegmodelsError, without_credentials
from segmodels.leaderboard import rows_here

PLANTED = "pLaNtEd"
ADDRESS = f"http://me:{PLANTED}@127.0.0.1:9"
VARIABLES = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PREFECT_API_KEY", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose environment is full of secrets."""
    small_project.enter(tmp_path / "project", monkeypatch)
    for name in VARIABLES:
        monkeypatch.setenv(name, PLANTED)
    return tmp_path


def test_work_leaves_no_secret_in_files_or_output(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESS)
    assert cli.main(["verify", "toy_open"]) == 0
    tracking.log_leaderboard(rows_here())  # to a server that is not there
    database = f"sqlite:///{project}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    tracking.log_leaderboard(rows_here())
    said = capfd.readouterr()
    assert "MLflow took no" in said.err
    assert PLANTED not in said.out + said.err
    with sqlite3.connect(project / "mlflow.db") as stored:
        assert stored.execute("select count(*) from runs").fetchone()[0] > 0
    stored.close()
    holding = [p for p in project.rglob("*") if p.is_file() and PLANTED.encode() in p.read_bytes()]
    assert holding == []


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with (
        temporary_settings({PREFECT_API_URL: f"{ADDRESS}/api"}),
        pytest.raises(PassingError, match=r"http://….127\.0\.0\.1:9/api") as raised,
        schedule.asking_prefect(),
    ):
        raise RuntimeError(f"Failed to reach API at {ADDRESS}/api")
    assert PLANTED not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://a:b@example.org/x.", "at https://…@example.org/x."),
        ("at https://a:b@cc@example.org/x.", "at https://…@example.org/x."),
        ("'ssh://git@example.org:22/x'", "'ssh://…@example.org:22/x'"),
        ("s3://bucket/a@b and mail a@b.org", "s3://bucket/a@b and mail a@b.org"),
    ],
)
def test_addresses_lose_user_and_password(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert str(SegmodelsError(text)) == shown
