"""The fixtures of the flow tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
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
