"""What a stage tells MLflow when DVC runs it in the copy of an experiment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from mlflow_database import held
from test_tracking_board import TESTS, project
from warm import warm

from flows.tracking import dvc_experiment

#: What the project tells, then an experiment beside it, then the project that has applied it.
TELL = """
import os, sys
sys.path.insert(0, sys.argv[1])
from page_rows import make_measurement, make_row
from flows import tracking
import flows.tracking.board as board
from mlflow.entities import Param

board.training_params = lambda run: [Param("recipe.lr", "0.1"), Param("model", "net")]
mine = dict(run="mine", weights_origin={"trained": "mine"}, evidence_file=None)
before = make_measurement(evidence="a" * 16, weights="b2" * 32, verified=51.0, **mine)
after = make_measurement(evidence="b" * 16, weights="c3" * 32, verified=52.0, **mine)
released = make_row(evidence="c" * 16, evidence_file=None)
match sys.argv[2]:
    case "project":
        tracking.log_leaderboard([make_row(), before])
    case "experiment":
        tracking.log_rows([before, after, released], every=lambda: [released])
        tracking.log_leaderboard([after, released])
    case "applied":
        tracking.log_leaderboard([make_row(), after])
"""


def tell(root: Path, what: str, **environment: str) -> None:
    known = {"SEGMODELS_ROOT": str(root), **environment}
    started = warm().start(TELL, [str(TESTS), what], root, {**os.environ, **known})
    code, _, error = started.finish()
    assert code == 0, error
    assert "warning: MLflow" not in error, error


def test_an_experiment_is_told_beside_the_project(tmp_path: Path, empty: Path) -> None:
    root = project(tmp_path / "project", empty)
    copy = root / ".dvc" / "tmp" / "exps" / "abc"
    shutil.copytree(root / "params", copy / "params")
    tell(root, "project")
    before = held(root)

    about = {"DVC_EXP_NAME": "awned-plow", "DVC_EXP_BASELINE_REV": "12ab"}
    tell(copy, "experiment", DVC_ROOT=str(root), **about)
    assert [path.name for path in copy.iterdir()] == ["params"]
    known = {run["id"] for run in before}
    (new,) = (run for run in held(root) if run["id"] not in known)
    assert [run for run in held(root) if run["id"] in known] == before
    told = {"experiment": "awned-plow", "experiment_base": "12ab", "current": "false"}
    assert told.items() <= new["tags"].items()
    assert (new["metrics"]["verified_mIoU"], new["params"]["recipe.lr"]) == (52.0, "0.1")

    tell(root, "applied")
    current = {run["tags"].get("evidence"): run["tags"]["current"] for run in held(root)}
    assert (current["a" * 16], current["b" * 16]) == ("false", "true")


@pytest.mark.parametrize(
    ("below", "copy"),
    [(".dvc/tmp/exps/standalone/x", True), ("clone", False), (".", False)],
)
def test_a_copy_is_what_lies_in_dvcs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str, copy: bool
) -> None:
    root = tmp_path / below
    (root / "params").mkdir(parents=True)
    (root / "params" / "protocols.yaml").write_text("{}\n")
    monkeypatch.setenv("SEGMODELS_ROOT", str(root))
    assert not dvc_experiment.is_copy()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert dvc_experiment.is_copy() == copy
    place = tmp_path if copy else root
    assert dvc_experiment.locks() == place / ".cache"
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "elsewhere"))
    assert dvc_experiment.locks() == tmp_path / "elsewhere"


def test_only_an_experiment_has_its_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert dvc_experiment.tags() == {}
