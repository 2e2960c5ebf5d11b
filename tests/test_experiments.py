"""`dvc exp run` over a recipe, from a clean clone: compared by DVC and by MLflow."""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dvc_project import Repository, build

sys.path.insert(0, str(Path(__file__).parent / "flows"))
from mlflow_database import held

pytestmark = pytest.mark.slow

RATES = {"0.001", "0.01"}
SHOWN = "reports/local/metrics/tiny-plain.json:plain.mIoU"
#: Columns of what stages depend on, by hash, which say nothing to people.
HASHES = "^(docs|params|reports|segmodels|weights)/[^:]*$"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clone in which nothing was computed, with MLflow."""
    made = build(tmp_path_factory.mktemp("dvc") / "project")
    (made.root / "mlflow.py").unlink()
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "as published")
    return made


def states(repository: Repository) -> dict[str, str]:
    """The state of every experiment that was queued, by name."""
    lines = repository.run("dvc", "queue", "status").splitlines()
    found = (re.match(r"\w+\s+([a-z]+-[a-z]+)\s.*\s(\w+)$", line) for line in lines)
    return {one[1]: one[2] for one in found if one}


def ended(repository: Repository) -> dict[str, str]:
    while set((found := states(repository)).values()) & {"Queued", "Running"}:
        time.sleep(1)
    return found


def test_a_sweep_over_a_recipe(clone: Repository) -> None:
    rates = ",".join(sorted(RATES))
    clone.run("dvc", "exp", "run", "--queue", "-S", f"params/recipes/tiny.yaml:lr={rates}")
    clone.run("dvc", "queue", "start", "-j", "2")
    names = ended(clone)
    assert set(names.values()) == {"Success"}
    assert len(names) == len(RATES)
    # Nothing of it is here yet.
    assert clone.git("status", "--porcelain") == ""
    assert clone.results() == {}

    shown = compared(clone)
    assert not [name for name in shown[0] if "/" in name and ":" not in name]
    assert {line["lr"] for line in shown} == RATES
    assert {line["Experiment"] for line in shown} == set(names)
    by_rate = {line["lr"]: line for line in shown}
    assert_in_mlflow(clone, by_rate)

    # The best one becomes the project's: nothing runs again, and the board tells MLflow.
    best = by_rate["0.01"]["Experiment"]
    clone.run("dvc", "exp", "apply", best)
    assert "lr: 0.01" in (clone.root / "params/recipes/tiny.yaml").read_text()
    assert clone.repro()[0] == set()
    clone.run("flows.stages", "local_leaderboard")
    current = {name: run["tags"]["current"] for name, run in measured(clone).items()}
    assert current == {name: "true" if name == best else "false" for name in names}


def compared(repository: Repository) -> list[dict[str, str]]:
    """The table that docs/experiments.md shows, of experiments alone."""
    text = repository.run("dvc", "exp", "show", "--only-changed", "--drop", HASHES, "--csv")
    table = csv.DictReader(io.StringIO(text[text.index("Experiment,") :]))
    return [line for line in table if line["Experiment"]]


def measured(repository: Repository) -> dict[str, dict[str, Any]]:
    """The evaluations that MLflow has of experiments, by their name."""
    runs = (run for run in held(repository.root) if run["experiment"] == "segmodels")
    return {run["tags"]["experiment"]: run for run in runs if run["tags"].get("experiment")}


def assert_in_mlflow(repository: Repository, shown: dict[str, dict[str, str]]) -> None:
    """The same names, rates and numbers: of the evaluation, and the curve of its training."""
    found = held(repository.root)
    trained = {r["tags"]["experiment"]: r for r in found if r["experiment"] == "segmodels-training"}
    assert len(found) == 2 * len(shown)
    base = repository.git("rev-parse", "HEAD").strip()
    for rate, line in shown.items():
        name = line["Experiment"]
        run = measured(repository)[name]
        assert run["metrics"]["verified_mIoU"] == pytest.approx(float(line[SHOWN]), abs=1e-3)
        assert float(run["params"]["recipe.lr"]) == float(rate)
        assert (run["tags"]["experiment_base"], run["tags"]["current"]) == (base, "false")
        assert trained[name]["status"] == "FINISHED"
        assert trained[name]["tags"]["weights_sha256"] == run["tags"]["weights_sha256"]
        assert "per_class.json" in run["artifacts"]
