"""The fixtures of the flow tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toy_repository import PIPELINE, MakeRepo, write_repo


@pytest.fixture
def make_repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRepo:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return lambda stages=PIPELINE, name="repo": write_repo(tmp_path / name, stages)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as MLflow makes it, which takes it ten seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    code = f"import mlflow; mlflow.MlflowClient('sqlite:///{path}')"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return path
