"""MLflow's history goes from one database to another, all of it or nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow_database import everything, held, migrated, python, rows_of
from postgres_server import Postgres
from test_tracking_board import process, project

from flows.tracking import place
from segmodels.errors import SegmodelsError

#: Runs, curves, a dataset, models, the registry, and a number that is none.
TELL = """
import sys
sys.path.insert(0, sys.argv[1])
from page_rows import make_row
from flows import tracking
from mlflow import MlflowClient
tracking.log_leaderboard([make_row()])
client = MlflowClient(tracking.default_uri())
run = client.create_run("2").info.run_id
client.log_metric(run, "loss", float("nan"), step=3)
client.log_metric(run, "loss", float("inf"), step=4)
client.log_param(run, "words", "caf\\u00e9 \\U0001f600 'quoted' \\\\")
"""

Names = dict[str, str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    root = project(tmp_path_factory.mktemp("told") / "project", empty)
    process(root, TELL)
    return root


@pytest.fixture
def target(tmp_path: Path, empty: Path) -> Path:
    """A folder with a database as MLflow makes it."""
    shutil.copy(empty, tmp_path / "mlflow.db")
    return tmp_path


def here(root: Path) -> Names:
    return {"SEGMODELS_ROOT": str(root)}


def sqlite(root: Path) -> str:
    return f"sqlite:///{root}/mlflow.db"


def test_every_row_goes_over(told: Path, target: Path) -> None:
    before = everything(told)
    code, out, error = migrated(told, sqlite(told), sqlite(target), **here(told))
    assert code == 0, error
    names = ("experiments", "runs", "metrics", "registered_models", "model_versions")
    assert out.splitlines()[1:] == [f"  {name}: {len(before[name])}" for name in names]
    assert [len(before[name]) for name in names[:2]] == [3, 3]
    assert everything(target) == everything(told) == before


def test_files_go_to_the_server(told: Path, target: Path) -> None:
    """The place of a run then says that the server has its files."""
    files = {"MLFLOW_ARTIFACTS_DESTINATION": str(target / "files")}
    into = {"MLFLOW_BACKEND_STORE_URI": sqlite(target)}  # and the source is the project's own
    code, _, error = migrated(told, **here(told), **files, **into)
    assert code == 0, error
    local = (told / "mlartifacts").as_uri() + "/"
    asked = "select artifact_uri from runs order by 1"
    moved = [("mlflow-artifacts:/" + uri.removeprefix(local),) for (uri,) in rows_of(told, asked)]
    assert rows_of(target, asked) == moved
    assert {run["name"] for run in held(told)} >= {"net_toy", "leaderboard"}
    known = {path.relative_to(told / "mlartifacts") for path in (told / "mlartifacts").rglob("*")}
    assert known
    assert {path.relative_to(target / "files") for path in (target / "files").rglob("*")} == known


def test_what_holds_something_is_left_alone(told: Path, target: Path) -> None:
    assert migrated(told, sqlite(told), sqlite(target), **here(told))[0] == 0
    kept = everything(target)
    code, _, error = migrated(told, sqlite(told), sqlite(target), **here(told))
    assert code == 1
    assert "holds 3 rows already; history is only copied to an empty database" in error
    assert everything(target) == kept


def test_what_cannot_be_copied_is_named(told: Path, target: Path, tmp_path: Path) -> None:
    nothing = f"sqlite:///{tmp_path}/none.db"
    code, _, error = migrated(told, nothing, sqlite(target), **here(told))
    assert (code, "none.db: there is no such database." in error) == (1, True)
    assert not (tmp_path / "none.db").exists()

    with closing(sqlite3.connect(tmp_path / "none.db")) as base:
        base.execute("create table other (x)")
    code, _, error = migrated(told, nothing, sqlite(target), **here(told))
    assert (code, "none.db holds nothing of MLflow" in error) == (1, True)

    shutil.copy(told / "mlflow.db", tmp_path / "older.db")
    with closing(sqlite3.connect(tmp_path / "older.db")) as base:
        base.execute("update alembic_version set version_num = '451aebb31d03'")
        base.commit()
    code, _, error = migrated(told, f"sqlite:///{tmp_path}/older.db", sqlite(target), **here(told))
    assert (code, "(451aebb31d03, expected" in error, "mlflow db upgrade" in error) == (1, 1, 1)
    assert len(rows_of(target, "select * from experiments")) == 1


@pytest.mark.parametrize(
    "address", ["", "mlflow.db", "mysql://u:secret@h/d", "postgresql://u:secret@h:x/d"]
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(SegmodelsError, match="TARGET: expected the address") as caught:
        place.parsed(address, "TARGET")
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_to_postgres_and_back(told: Path, target: Path, postgres: Postgres, tmp_path: Path) -> None:
    there = postgres.database()
    code, _, error = migrated(told, sqlite(told), there, **here(told))
    assert code == 0, error
    code, _, error = migrated(told, there, sqlite(target), **here(told))
    assert code == 0, error
    assert everything(target) == everything(told)

    # And the next experiment there gets the next number.
    more = f"import mlflow; print(mlflow.MlflowClient('{there}').create_experiment('more'))"
    assert python(told, more)[1] == "3\n"


@pytest.mark.postgres
def test_what_postgres_refuses_leaves_it_empty(
    told: Path, target: Path, team: str, tmp_path: Path
) -> None:
    """A letter that PostgreSQL has no place for, in the last row."""
    shutil.copy(told / "mlflow.db", tmp_path / "odd.db")
    with closing(sqlite3.connect(tmp_path / "odd.db")) as base:
        base.execute("update tags set value = 'a' || char(0) where key = 'kind'")
        base.commit()
    code, _, error = migrated(told, f"sqlite:///{tmp_path}/odd.db", team, **here(told))
    assert (code, "target has no new rows" in error) == (1, True), error
    assert "Traceback" not in error
    assert migrated(told, team, sqlite(target), **here(told))[0] == 0
    assert rows_of(target, "select name from experiments") == [("Default",)]
