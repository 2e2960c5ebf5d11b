"""MLflow as a sink: what it holds, that it is told once, and that it never stops the work.

MLflow runs in processes of its own, with warnings of its own; what a process printed is the
test's business, what MLflow warns about is not.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from pathlib import Path

import pytest
import small_project
import yaml
from mlflow_database import STAGE, held, links, models, python, stage
from PIL import Image
from warm import warm

from flows import tracking
from flows.tracking import store
from segmodels import steps
from segmodels.runs.run import load_run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Path) -> Path:
    root = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    # A database as MLflow makes it; a test below makes its own.
    shutil.copy(empty, root / "mlflow.db")
    return root


def warnings_in(error: str) -> list[str]:
    return [line for line in error.splitlines() if line.startswith("warning: MLflow")]


def pixels_of(picture: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(picture)) as image:
        return image.size, image.tobytes()


def test_one_run_per_evidence(root: Path) -> None:
    assert not warnings_in(stage(root, "evaluate", "published", "plain", ",", "local_leaderboard"))
    both = run, summary = held(root)
    assert (summary["name"], summary["tags"]["kind"]) == ("leaderboard", "summary")
    row = json.loads((root / "reports/local/claims/toy_open.json").read_text())
    assert (run["experiment"], run["name"], run["status"]) == ("segmodels", "toy_open", "FINISHED")
    metrics = run["metrics"]
    assert metrics["claimed_mIoU"] == 50
    assert metrics["verified_mIoU"] == row["verified"]
    assert metrics["gap"] == row["gap"]
    assert metrics["interval_low"] <= metrics["verified_mIoU"] <= metrics["interval_high"]
    # The same counts, void left out.
    assert metrics["verified_mIoU.plain"] >= metrics["verified_mIoU"]
    expected = {
        "kind": "claim",
        "verdict": "below",
        "dataset": "shapes",
        "paper": "toy",
        "claimant": "authors",
        "level": "released weights",
        "claim": "toy_open",
        "run": "published",
        "protocol": "strict, plain",
        "evidence": row["evidence"],
        "weights_sha256": row["weights"],
        "dataset_fingerprint": row["fingerprint"],
    }
    assert {name: run["tags"][name] for name in expected} == expected
    assert run["params"]["model"] == "segformer_nano"
    assert run["params"]["inference.flip"] == "False"
    assert sorted(run["artifacts"]) == sorted(
        ["per_class.json", "published-plain.png", f"{row['evidence']}.json"]
    )
    assert json.loads(run["artifacts"]["per_class.json"]) == {
        "columns": ["class", "IoU"],
        "data": [[name, iou] for name, iou in row["per_class"].items()],
    }
    assert (root / "mlartifacts").is_dir()

    # Told again by both stages: nothing is new, nothing is written.
    files = {path: path.stat().st_mtime_ns for path in (root / "mlartifacts").rglob("*")}
    stage(root, "evaluate", "published", "plain", ",", "local_leaderboard")
    assert held(root) == list(both)
    assert {p: p.stat().st_mtime_ns for p in (root / "mlartifacts").rglob("*")} == files

    # The claim changes, downwards: the same run says so, and its table does not grow.
    path = root / "params/claims/toy.yaml"
    lower = f"value: {row['verified']:.1f}"
    path.write_text(path.read_text().replace("value: 50", lower))
    stage(root, "local_leaderboard")
    after, _ = held(root)
    assert after["id"] == run["id"]
    assert after["tags"]["verdict"] == "verified"
    assert after["metrics"]["claimed_mIoU"] == float(lower.split()[1])
    assert abs(after["metrics"]["gap"]) <= 0.05
    table = "per_class.json"
    assert after["artifacts"][table] == run["artifacts"][table]
    assert after["params"] == run["params"]


@pytest.mark.faults
@pytest.mark.parametrize(
    "where", ["log_artifact", pytest.param("set_terminated", marks=pytest.mark.slow)]
)
def test_a_run_cut_short_is_completed(root: Path, where: str) -> None:
    cut = (
        "from mlflow import MlflowClient\n"
        "def broken(*_, **__): raise OSError('no space')\n"
        f"MlflowClient.{where} = broken\n"
    )
    code, _, error = python(root, cut + STAGE, "evaluate", "published", "plain")
    assert code == 0
    assert len(warnings_in(error)) == 1
    (run,) = held(root)
    assert "digest" not in run["tags"]
    stage(root, "local_leaderboard")
    after, _ = held(root)
    assert (after["id"], after["status"]) == (run["id"], "FINISHED")
    assert after["tags"]["verdict"] == "below"
    assert "published-plain.png" in after["artifacts"]


@pytest.mark.faults
@pytest.mark.slow
def test_a_board_cut_short_is_completed(root: Path) -> None:
    """By the next stage that tells MLflow something, which need not be the board."""
    cut = (
        "from flows.tracking import summary\n"
        "def broken(*_): raise OSError('no space')\n"
        "summary.table = broken\n"
    )
    code, _, error = python(root, cut + STAGE, "evaluate", "published", "plain")
    assert (code, len(warnings_in(error))) == (0, 1)
    _, board = held(root)
    assert (board["status"], "digest" in board["tags"]) == ("RUNNING", False)
    stage(root, "evaluate", "published", "plain")
    _, after = held(root)
    assert (after["id"], after["status"], "digest" in after["tags"]) == (
        board["id"],
        "FINISHED",
        True,
    )


@pytest.mark.faults
def test_an_unreachable_server_costs_one_warning(root: Path) -> None:
    nowhere = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    error = stage(root, "evaluate", "published", "plain", ",", "train", "tiny", **nowhere)
    assert len(warnings_in(error)) == 2
    assert "Traceback" not in error
    assert len(list((root / "reports/local/evidence/published/plain").iterdir())) == 2
    assert held(root) == []
    assert (root / "weights/trained/tiny/model.safetensors").is_file()

    # Nothing evaluated this time, yet MLflow catches up.
    assert not warnings_in(stage(root, "local_leaderboard"))
    assert [run["tags"].get("run") for run in held(root)] == ["published", None]


@pytest.mark.faults
def test_a_database_that_fails_is_one_line(root: Path) -> None:
    full = (
        "import sqlite3\n"
        "from sqlalchemy.engine.default import DefaultDialect\n"
        "def broken(self, cursor, statement, parameters, context=None):\n"
        "    if 'INSERT INTO runs' in statement:\n"
        "        raise sqlite3.OperationalError('database or disk is full')\n"
        "    cursor.execute(statement, parameters)\n"
        "DefaultDialect.do_execute = broken\n"
    )
    code, _, error = python(root, full + STAGE, "train", "tiny")
    assert code == 0
    assert len(warnings_in(error)) == 1
    assert "disk is full" in error
    assert "Traceback" not in error
    assert "ERROR" not in error


def test_the_training_curve_and_what_came_of_it(root: Path) -> None:
    often = {"MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "0.05"}
    stage(root, "train", "tiny", ",", "evaluate", "tiny", "plain", **often)
    run, measured, *rest = held(root)
    assert (run["experiment"], run["name"], run["status"]) == (
        "segmodels-training",
        "tiny",
        "FINISHED",
    )
    rows = (root / "reports/local/curves/tiny.csv").read_text().splitlines()
    names = rows[0].split(",")
    written = [dict(zip(names, map(float, row.split(",")), strict=True)) for row in rows[1:]]
    assert [point for point in run["curve"] if point[0] in names] == [
        (name, row["step"], pytest.approx(row[name], rel=1e-5))
        for name in sorted(names[1:])
        for row in written
    ]
    pace = {"images_per_second", "seconds_left", "memory_bytes"}
    logged = {point[0] for point in run["curve"]}
    system = {name for name in logged if name.startswith("system/")}
    assert "system/cpu_utilization_percentage" in system
    assert logged - system == {*names[1:], *pace}
    pictures = {
        found[1]: data
        for name, data in run["artifacts"].items()
        if (found := re.fullmatch(r"samples\W+step\W+(\d+)\W.*\.png", name))
    }
    assert sorted(pictures) == ["2", "3"]  # at each look
    last = (root / "reports/local/curves/tiny.png").read_bytes()
    assert pixels_of(pictures["3"]) == pixels_of(last)
    about = {"model": "segformer_nano", "seed": "0", "recipe": "tiny", "recipe.lr": "0.001"}
    assert about.items() <= run["params"].items()
    assert (run["tags"]["kept_step"], run["tags"]["ended"]) == ("3", "all steps are done")

    # The weights found their training, and the measurement its weights.
    weights = {"weights_sha256": run["tags"]["weights_sha256"]}
    assert weights.items() <= measured["tags"].items()
    (model,) = models(root)
    assert (model["name"], model["status"], model["source_run"]) == ("tiny", "READY", run["id"])
    assert model["tags"] == {"origin": "trained", **weights}
    assert links(root) == {
        ("RUN_OUTPUT", run["id"], model["id"]),
        ("RUN_INPUT", measured["id"], model["id"]),
    }

    path = root / "params/recipes/tiny.yaml"
    recipe = yaml.safe_load(path.read_text())
    wild = {**recipe, "lr": 1.0e30, "clip": 1.0e30, "steps": 8, "validate_every": 1}
    path.write_text(yaml.safe_dump(wild))
    code, _, error = python(root, STAGE, "train", "tiny")
    assert code == 1
    # Whichever is looked at first, the next loss or the validation.
    assert re.match(
        r"error: run 'tiny': the (loss is|scores of .* are not finite after step).*Lower 'lr'",
        error.splitlines()[-1],
    )
    known = {one["id"] for one in (run, measured, *rest)}
    (failed,) = (one for one in held(root) if one["id"] not in known)
    assert failed["status"] == "FAILED"


def test_four_processes_make_the_database_together(root: Path) -> None:
    (root / "mlflow.db").unlink()
    code = "from flows.tracking import training\nwith training('r') as log: pass\n"
    processes = [warm().start(code, [], root, os.environ) for _ in range(4)]
    for process in processes:
        ended, _, error = process.finish()
        assert ended == 0, error
        assert not warnings_in(error)
    assert [run["status"] for run in held(root)] == ["FINISHED"] * 4


def test_the_default_store_is_a_file_of_the_project(root: Path) -> None:
    assert tracking.default_uri() == f"sqlite:///{root / 'mlflow.db'}"


def test_nothing_else_is_stopped_by_what_mlflow_raises(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ValueError("two\nlines " + "x" * 1000)

    monkeypatch.setattr(store, "connect", broken)
    with tracking.training("r") as log:
        log({"step": 1.0, "loss": float("nan")}, 1)
    tracking.log_rows([])
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 2
    assert "two lines" in error
    assert len(error.splitlines()[0]) < 500
