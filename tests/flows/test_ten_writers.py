"""Ten processes write to MLflow at once, and everything they tell is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mlflow_database import held, migrated
from test_tracking_board import TESTS, project
from warm import warm

WRITERS = 10

#: A training with its curve, a number of one's own, and the board that all tell alike.
WRITE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from page_rows import make_row
from flows import tracking

me = int(sys.argv[2])
with tracking.training(f"mine-{me}") as curve:
    for step in range(5):
        curve({"step": float(step), "loss": me + step / 10}, 5)
mine = make_row(claim=f"mine_{me}", run=f"mine-{me}", evidence=f"{me:016x}", evidence_file=None,
                weights=f"{me:064x}", weights_origin={"trained": f"mine-{me}"}, verified=50.0 + me)
tracking.log_rows([mine])
tracking.log_leaderboard([make_row(), mine])
"""


def write(root: Path, settings: dict[str, str], caches: list[Path]) -> None:
    """Ten processes at once; each has the cache, and so the locks, of a machine of its own."""
    known = {**os.environ, "SEGMODELS_ROOT": str(root), **settings}
    known["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "false"
    writers = [
        warm().start(WRITE, [str(TESTS), str(me)], root, {**known, "SEGMODELS_CACHE": str(cache)})
        for me, cache in enumerate(caches)
    ]
    for writer in writers:
        code, _, error = writer.finish()
        assert code == 0, error
        assert "warning: MLflow" not in error, error


def assert_nothing_is_lost(root: Path) -> None:
    runs = held(root)
    trained = {run["name"]: run for run in runs if run["experiment"] == "segmodels-training"}
    for me in range(WRITERS):
        assert trained[f"mine-{me}"]["status"] == "FINISHED"
        steps = [(step, value) for key, step, value in trained[f"mine-{me}"]["curve"]]
        assert steps == [(step, pytest.approx(me + step / 10)) for step in range(5)]
    told = [run for run in runs if run["experiment"] == "segmodels"]
    numbers = {run["name"]: run["metrics"].get("verified_mIoU") for run in told}
    assert {f"mine_{me}": 50.0 + me for me in range(WRITERS)}.items() <= numbers.items()
    assert numbers["net_toy"] == 50.02
    shared = [run for run in told if run["name"] == "net_toy"]
    assert [run["tags"]["current"] for run in shared].count("true") == 1


def test_ten_processes_of_one_machine(tmp_path: Path, empty: Path) -> None:
    root = project(tmp_path / "project", empty)
    write(root, {}, WRITERS * [tmp_path / "cache"])
    assert_nothing_is_lost(root)
    assert len(held(root)) == 2 * WRITERS + 2


@pytest.mark.postgres
def test_ten_machines_share_a_database(tmp_path: Path, empty: Path, team: str) -> None:
    """No lock of ours reaches from one machine to another."""
    root = project(tmp_path / "project", empty)
    caches = [tmp_path / f"cache-{me}" for me in range(WRITERS)]
    write(root, {"MLFLOW_TRACKING_URI": team}, caches)
    assert held(root) == []
    here = {"SEGMODELS_ROOT": str(root)}
    code, _, error = migrated(root, team, f"sqlite:///{root}/mlflow.db", **here)
    assert code == 0, error
    assert_nothing_is_lost(root)
