"""The whole leaderboard in MLflow: nothing twice, nothing lost, grouped as people look for it.

All tellings happen in one process, since each looks for all there is in the store.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow_database import everything, held, links, models, rows_of
from warm import warm

TESTS = Path(__file__).resolve().parents[1]

#: Tells rows, then does what a line says, and keeps the database after each of them.
TELL = """
import shutil, sys
sys.path.insert(0, sys.argv[1])
from page_rows import make_row, unrun
from flows import tracking

def cost(claimed):
    return make_row(claim="size", claimed=claimed, metric="params_M", level="counted",
                    evidence=None, evidence_file=None, weights=None, fingerprint=None,
                    interval=None, per_class={}, weights_origin={}, dataset="any", split="n/a")

released = make_row()
trained = make_row(claim=None, claimed=None, gap=None, kind="measurement", verdict="measured",
                   run="mine", verified=52.0, evidence="ffff456789abcdef", weights="b2" * 32,
                   weights_origin={"trained": "mine"}, paper="", title="", source="",
                   evidence_file=None)
rows = [released, trained, cost(13.7), unrun(claim="dark"), unrun(claim="dark_2")]
steps = {
    "first": rows,
    "again": rows,
    "changed": [make_row(claimed=49.0, gap=1.02, verdict="better"),
                trained, cost(13.8), unrun(claim="dark")],
    "gone": [released, unrun(claim="dark")],
    "back": rows,
}
for name, told in steps.items():
    tracking.log_leaderboard(told)
    shutil.copytree(".", f"../{name}", ignore=shutil.ignore_patterns("mlartifacts"))
"""

#: A stage in a fresh clone: one row is new, and MLflow holds nothing of the others.
TELL_NEW = (
    TELL[: TELL.index("for name, told in")]
    + """
tracking.log_rows([trained], every=lambda: rows)
"""
)

#: The database of an earlier version: other names of metrics and tags, no datasets or models.
OLD = """
import json, mlflow, time
from mlflow.entities import Metric, Param, RunTag
client = mlflow.MlflowClient("sqlite:///mlflow.db")
place = client.create_experiment("segmodels", artifact_location="file://{root}/mlartifacts/segmodels",
                                 tags={{"mlflow.sharedViewState.leaderboard": "old"}})
for evidence in ("0123456789abcdef", "eeee456789abcdef"):
    run = client.create_run(place, run_name="net_toy", tags={{"evidence": evidence}})
    tags = {{"kind": "claim", "status": "below", "claim": "net_toy", "digest": "old",
             "reason": "old", "mine": "kept"}}
    client.log_batch(run.info.run_id,
                     [Metric("claimed", 40.0, 1, 0), Metric("verified", 39.0, 1, 0)],
                     [Param("model", "net"), Param("dataset", "toy")],
                     [RunTag(k, v) for k, v in tags.items()])
    client.set_terminated(run.info.run_id)
"""


def process(root: Path, code: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment |= {"SEGMODELS_ROOT": str(root), "SEGMODELS_CACHE": str(root / ".cache")}
    ended, _, error = warm().start(code, [str(TESTS)], root, environment).finish()
    assert ended == 0, error
    assert "warning: MLflow" not in error, error


def project(root: Path, empty: Path) -> Path:
    (root / "params").mkdir(parents=True)
    (root / "params" / "protocols.yaml").write_text("{}\n")
    (root / "params" / "datasets.yaml").write_text(
        "toy: {title: Toy, state: ok, source: made up,"
        ' archives: [{name: a.zip, url: "https://example.org/a.zip"}]}\n'
    )
    (root / "params" / "weights.yaml").write_text(
        "toy-weights: {model: net, state: gated, source: a drive, reason: no address}\n"
    )
    evidence = root / "reports" / "evidence" / "net" / "toy-ss" / "0123456789abcdef.json"
    evidence.parent.mkdir(parents=True)
    evidence.write_text("{}")
    shutil.copy(empty, root / "mlflow.db")
    return root


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    """A folder with the database after every step, by the step's name."""
    folder = tmp_path_factory.mktemp("told")
    process(project(folder / "project", empty), TELL)
    return folder


def by_name(root: Path) -> dict[str, dict[str, Any]]:
    runs = held(root)
    assert len({run["name"] for run in runs}) == len(runs)
    return {run["name"]: run for run in runs}


def test_an_empty_store_is_told_everything(tmp_path: Path, empty: Path) -> None:
    """A fresh clone has nothing to judge again, so no `leaderboard` stage would tell it."""
    root = project(tmp_path / "project", empty)
    process(root, TELL_NEW)
    assert set(by_name(root)) == {"net_toy", "mine toy-ss", "size", "leaderboard"}


def test_a_run_per_number_and_one_that_sums_up(told: Path) -> None:
    runs = by_name(told / "first")
    assert set(runs) == {"net_toy", "mine toy-ss", "size", "leaderboard"}
    assert {run["status"] for run in runs.values()} == {"FINISHED"}
    grouped = {(r["tags"].get("dataset"), r["tags"].get("paper")): n for n, r in runs.items()}
    assert grouped == {
        ("toy", "toynet"): "net_toy",
        ("toy", "none"): "mine toy-ss",
        ("any", "toynet"): "size",
        (None, None): "leaderboard",
    }
    assert runs["size"]["metrics"]["verified_params_M"] == 50.02


def test_the_summary_counts_the_blocked_and_says_why(told: Path) -> None:
    run = by_name(told / "first")["leaderboard"]
    scores = {"scores_verified": 1, "scores_blocked": 2, "scores_below": 0}
    expected = {"claims": 4, "costs_verified": 1, **scores}
    assert "claims_verified" not in run["metrics"]  # never one number for both
    assert expected.items() <= run["metrics"].items()
    (table,) = (
        json.loads(text)
        for name, text in by_name(told / "back")["leaderboard"]["artifacts"].items()
        if name == "claims.json"
    )
    lines = [dict(zip(table["columns"], line, strict=True)) for line in table["data"]]
    assert [line["claim"] for line in lines] == ["net_toy", "size", "dark", "dark_2"]
    assert lines[2]["obstacle"] == "weights unpublished"
    history = [(key, value) for key, _, value in by_name(told / "gone")["leaderboard"]["curve"]]
    assert [value for key, value in history if key == "scores_blocked"] == [2, 1, 1]


def test_told_again_nothing_is_written(told: Path) -> None:
    assert everything(told / "again") == everything(told / "first")


def test_a_change_reaches_the_same_runs(told: Path) -> None:
    before, after = by_name(told / "again"), by_name(told / "changed")
    assert {n: r["id"] for n, r in before.items()} == {n: r["id"] for n, r in after.items()}
    assert after["net_toy"]["metrics"]["claimed_mIoU"] == 49
    assert after["net_toy"]["tags"]["verdict"] == "better"
    assert after["size"]["metrics"]["claimed_params_M"] == 13.8
    assert after["mine toy-ss"] == before["mine toy-ss"]


def test_runs_that_no_row_tells_any_more_are_marked_and_come_back(told: Path) -> None:
    def current(step: str) -> dict[str, str]:
        return {name: run["tags"]["current"] for name, run in by_name(told / step).items()}

    assert set(current("changed").values()) == {"true"}
    gone = {"mine toy-ss": "false", "size": "false"}
    assert current("gone") == {"net_toy": "true", "leaderboard": "true", **gone}
    assert current("back") == current("first")


@pytest.mark.parametrize("step", ["first", "back"])
def test_images_are_a_dataset_and_weights_a_model(told: Path, step: str) -> None:
    root, runs = told / step, by_name(told / step)
    ((name, digest, kind, source, profile),) = rows_of(
        root,
        "select name, digest, dataset_source_type, dataset_source, dataset_profile from datasets",
    )
    assert (name, digest, kind) == ("toy", ("fe" * 32)[:36], "http")
    assert json.loads(source) == {"url": "https://example.org/a.zip"}
    assert json.loads(profile) == {"split": "val", "images": 6, "fingerprint": "fe" * 32}
    contexts = rows_of(
        root,
        "select destination_id, t.name, value from inputs join input_tags t using (input_uuid)",
    )
    assert sorted(contexts) == sorted(
        (runs[run]["id"], "mlflow.data.context", "val") for run in ("net_toy", "mine toy-ss")
    )
    mine, toy = models(root)
    assert (mine["name"], toy["name"]) == ("mine", "toy-weights")
    assert toy["tags"] == {
        "weights_sha256": "a1" * 32,
        "origin": "released",
        **{k: v for k, v in toy["tags"].items() if k.startswith("mlflow.")},
    }
    assert {mine["status"], toy["status"]} == {"READY"}
    assert json.loads(toy["artifacts"]["weights.json"])["source"] == "a drive"
    assert links(root) == {
        ("RUN_INPUT", runs["net_toy"]["id"], toy["id"]),
        ("RUN_INPUT", runs["mine toy-ss"]["id"], mine["id"]),
    }
    measured = "select model_id, metric_value from logged_model_metrics where metric_name = "
    found = dict(rows_of(root, f"{measured} 'verified_mIoU'"))
    assert found == {mine["id"]: 52.0, toy["id"]: 50.02}


@pytest.mark.parametrize("step", ["first", "back"])
def test_the_registry_holds_versions_with_aliases(told: Path, step: str) -> None:
    root = told / step
    assert rows_of(root, "select name from registered_models") == [("net-toy",)]
    versions = rows_of(root, "select version, source from model_versions order by 1")
    mine, toy = models(root)
    assert versions == [(1, f"models:/{toy['id']}"), (2, f"models:/{mine['id']}")]
    aliases = rows_of(root, "select alias, version from registered_model_aliases order by 1")
    assert aliases == [("best", 2), ("released", 1)]


def test_runs_of_an_earlier_version_are_taken_over(tmp_path: Path, empty: Path) -> None:
    root = project(tmp_path / "project", empty)
    keep = 'import shutil; shutil.copytree(".", "../before")\n'
    twice = "tracking.log_leaderboard(rows)\n" * 2
    process(root, OLD.format(root=root) + keep + TELL.partition("steps = ")[0] + twice)
    old = {run["tags"]["evidence"]: run for run in held(tmp_path / "before")}
    new = {run["tags"].get("evidence"): run for run in held(root)}
    assert len(held(root)) == 5
    run = new["0123456789abcdef"]
    assert run["id"] == old["0123456789abcdef"]["id"]
    assert run["metrics"]["claimed"] == run["metrics"]["claimed_mIoU"] == 50
    assert run["metrics"]["verified"] == run["metrics"]["verified_mIoU"] == 50.02
    assert "status" not in run["tags"]
    assert (run["tags"]["verdict"], run["tags"]["mine"]) == ("verified", "kept")
    gone = new["eeee456789abcdef"]
    assert gone["metrics"] == old["eeee456789abcdef"]["metrics"]
    assert gone["tags"] == {**old["eeee456789abcdef"]["tags"], "current": "false"}
    (view,) = rows_of(
        root,
        "select value from experiment_tags where key = 'mlflow.sharedViewState.leaderboard'",
    )
    assert "metrics.`claimed_mIoU`" in json.loads(view[0])["selectedColumns"]


def test_names_of_own_networks_have_no_letters_that_mlflow_refuses() -> None:
    from flows.tracking.registry import registered_name
    from segmodels.verdicts.row_subject import Measurement, RowSubject

    measured = Measurement("mine", "garden/nets.py:build", "leaves", "val")
    assert registered_name(RowSubject(measured)) == "garden-nets.py-build-leaves"
