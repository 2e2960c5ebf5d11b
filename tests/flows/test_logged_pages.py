"""The pages that MLflow is given: logged when they change, whole without the files beside them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow_database import everything, held
from synthetic import project
from warm import warm

TESTS = Path(__file__).resolve().parents[1]

#: Writes the board, as the stage does, and tells it to MLflow; after each step a copy is kept.
TELL = """
import shutil, sys
sys.path.insert(0, sys.argv[1])
from page_rows import make_row
from flows import tracking
from segmodels.core import paths
from segmodels.leaderboard.folder import write_board
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness

def row(foggy):
    fog = Curve("corruption", "fog", (CurvePoint(1.0, foggy, foggy / 50),))
    return make_row(robustness=Robustness(50.0, foggy, foggy / 50, (fog,)), evidence_file=None)

for name, foggy in {"first": 40.0, "again": 40.0, "foggier": 30.0}.items():
    rows = [row(foggy)]
    write_board(rows, paths.local(), pages=False)
    tracking.log_leaderboard(rows)
    shutil.copytree(".", f"../{name}", ignore=shutil.ignore_patterns("mlartifacts"))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    """A folder with the database after every step, by the step's name."""
    folder = tmp_path_factory.mktemp("told")
    root = project(folder / "project")
    shutil.copy(empty, root / "mlflow.db")
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment |= {"SEGMODELS_ROOT": str(root), "SEGMODELS_CACHE": str(root / ".cache")}
    ended, _, error = warm().start(TELL, [str(TESTS)], root, environment).finish()
    assert ended == 0, error
    assert "warning: MLflow" not in error, error
    return folder


def summary(root: Path) -> dict[str, Any]:
    (found,) = (run for run in held(root) if run["name"] == "leaderboard")
    return found


def test_the_same_board_is_logged_once(told: Path) -> None:
    assert everything(told / "again") == everything(told / "first")


def test_a_board_that_differs_in_robustness_alone_is_logged_again(told: Path) -> None:
    before, after = summary(told / "first"), summary(told / "foggier")
    assert after["id"] == before["id"]
    assert (before["metrics"]["tellings"], after["metrics"]["tellings"]) == (1, 2)
    page = after["artifacts"]["leaderboard.html"].decode()  # that of the last step
    assert "mean over 1 corruption, severity 1: 30.00" in page
    assert "mean over 1 corruption, severity 1: 40.00" not in page
