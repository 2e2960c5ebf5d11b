"""The fixtures of the flow tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import postgres_server
import pytest
from mlflow_database import migrated
from postgres_server import Postgres
from toy_repository import PIPELINE, MakeRepo, write_repo
from warm import warm


@pytest.fixture
def make_repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRepo:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return lambda stages=PIPELINE, name="repo": write_repo(tmp_path / name, stages)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as MLflow makes it."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    code = f"import mlflow; mlflow.MlflowClient('sqlite:///{path}')"
    ended, _, error = warm().start(code, [], path.parent, os.environ).finish()
    assert ended == 0, error
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this process of tests."""
    if why := postgres_server.missing():
        pytest.skip(why)
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def team(postgres: Postgres, empty: Path) -> str:
    """The address of a database with MLflow's tables in it, and nothing else."""
    if "mlflow" not in postgres.made:
        words = (f"sqlite:///{empty}", postgres.database("mlflow"))
        code, _, error = migrated(empty.parent, *words)
        assert code == 0, error
    return postgres.database(template="mlflow")
