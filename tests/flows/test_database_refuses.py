"""A database of MLflow that refuses or is not there is one line, at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow_database import stage
from postgres_server import Postgres
from small_project import enter
from sqlalchemy.engine import make_url

from flows import mlflow_server
from flows.tracking import place
from segmodels.errors import SegmodelsError

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_PAUSES", (0.0,))


def test_a_server_is_not_started_on_a_database_that_is_not_there() -> None:
    env = {place.DATABASE: "postgresql://ada:secret@127.0.0.1:9/runs"}
    pytest.importorskip("psycopg2")
    with pytest.raises(SegmodelsError, match=r"_STORE_URI: .*Connection refused") as e:
        mlflow_server.check_database(env)
    assert "secret" not in str(e.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SegmodelsError, match=f"HERE: sqlite:///{tmp_path} cannot be opened"):
        place.check_answers(f"sqlite:///{tmp_path}", "HERE")
    place.check_answers(f"sqlite:///{tmp_path}/not/yet/made.db", "HERE")  # MLflow makes folders
    assert not list(tmp_path.iterdir())
    place.check_answers("http://127.0.0.1:9", "HERE")  # not a database


@pytest.mark.slow
@pytest.mark.postgres
def test_a_wrong_password_and_a_missing_database(postgres: Postgres) -> None:
    right = make_url(postgres.database())
    place.check_answers(right.render_as_string(hide_password=False), "HERE")
    wrong = right.set(password="not-this").render_as_string(hide_password=False)
    with pytest.raises(SegmodelsError, match=r"HERE: .*password authentication failed") as told:
        place.check_answers(wrong, "HERE")
    assert "not-this" not in str(told.value)
    with pytest.raises(SegmodelsError, match=r'"nowhere" does not exist'):
        place.check_answers(
            right.set(database="nowhere").render_as_string(hide_password=False), "HERE"
        )


@pytest.mark.slow
def test_a_stage_says_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = enter(tmp_path / "project", monkeypatch)
    stage(root, "weights", "published", ",", "prepare", "shapes")
    error = stage(root, "train", "tiny", MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}")
    (said,) = (line for line in error.splitlines() if line.startswith("warning: "))
    assert f"MLFLOW_TRACKING_URI: sqlite:///{tmp_path} cannot be opened" in said
    assert "Traceback" not in error
