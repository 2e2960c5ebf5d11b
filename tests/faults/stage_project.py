"""A small project whose stages are run as processes, and what of it must not depend on faults.

Everything that the stages write is compared byte for byte but for these:
  records        hold times and where a count was taken up, the rest of them is the same; one whose
                 writer was stopped behind the evidence is not made up
  surveys        of images that were decoded hold the times of their files
  mlflow.db      holds times and random names of runs; `mlflow` says what is compared of it
  .cache         holds locks, whose files stay; nothing else may be left over
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import miniatures
import pytest
import small_project
import yaml
from mlflow_database import STAGE, held
from warm import Started, warm

#: In their order; `{name}` of a dataset, a run, a protocol and a suite as in `small_project`.
STAGES = (
    "weights published",
    "download camvid",
    "prepare camvid",
    "prepare shapes",
    "train tiny",
    "evaluate tiny plain",
    "robustness tiny quick",
    "efficiency",
    "leaderboard",
    "local_leaderboard",
)

RECORDS = "reports/local/records/"

#: Of a record: how long, how much, and where it was taken up.
UNEQUAL = ("resumed_at", "seconds", "peak_memory_bytes")


@dataclass(frozen=True)
class Project:
    """Where stages are run, and the environment that they are run in."""

    root: Path
    environment: Mapping[str, str]

    def start(self, stage: str, code: str = "", **settings: str) -> Started:
        """Begin a stage, as `python -m flows.stages` would, behind some code."""
        return warm().start(code + STAGE, [stage], self.root, {**self.environment, **settings})

    def run(self, stage: str, code: str = "", **settings: str) -> tuple[int, str]:
        """Its exit code and what it said on standard error."""
        ended, _, error = self.start(stage, code, **settings).finish()
        return ended, error

    def done(self, stage: str) -> None:
        """Run a stage that nothing disturbs."""
        ended, error = self.run(stage)
        assert ended == 0, error

    def state(self) -> dict[str, Any]:
        """All that must be the same afterwards, by its name."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        found = {str(path.relative_to(self.root)): path for path in files}
        kept = {name: _content(name, path) for name, path in found.items() if _matters(name)}
        return {**kept, "MLflow": mlflow(self.root)}


def make(folder: Path) -> Project:
    """A project in which nothing was run yet; all that it writes is below `project`."""
    with pytest.MonkeyPatch.context() as patch:
        root = small_project.enter(folder / "project", patch)
        archived(root, "camvid")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    project = Project(root, environment)
    # Making the database takes longer than all stages.
    code = f"import mlflow; mlflow.MlflowClient('sqlite:///{root}/mlflow.db')"
    ended, _, error = warm().start(code, [], root, environment).finish()
    assert ended == 0, error
    return project


def archived(root: Path, dataset: str) -> None:
    """Give the project a dataset that comes in archives, drawn in small into its mirror."""
    entry = miniatures.draw(dataset, root.parent / "mirror", {"train": 1, "val": 1, "test": 1})
    about = {"title": "drawn", "state": "ok", "source": "drawn", **entry}
    with (root / "params/datasets.yaml").open("a") as listed:
        yaml.safe_dump({dataset: about}, listed)


def computed(folder: Path) -> tuple[Project, dict[str, Path]]:
    """A project in which every stage was run, and copies of it from before each of them.

    The copy `""` is of the end.
    """
    project = make(folder)
    saved = {}
    for number, stage in enumerate((*STAGES, "")):
        saved[stage] = folder / f"before-{number}"
        shutil.copytree(project.root, saved[stage], symlinks=True)
        if stage:
            project.done(stage)
    return project, saved


def differing(found: Mapping[str, Any], expected: Mapping[str, Any]) -> set[str]:
    """Names of what is other than in a state that nothing disturbed."""
    names = {name for name in {*found, *expected} if found.get(name) != expected.get(name)}
    return {name for name in names if name in found or not name.startswith(RECORDS)}


def next_of(stage: str) -> str:
    """The stage behind one; `""` behind the last."""
    return (*STAGES, "")[STAGES.index(stage) + 1]


def put(project: Project, saved: Path) -> None:
    """Put a saved project in the place of what is there."""
    shutil.rmtree(project.root)
    shutil.copytree(saved, project.root, symlinks=True)


def _matters(name: str) -> bool:
    if name.startswith(".cache/"):
        return not name.endswith((".lock", ".pid", ".turn")) and "/surveys/" not in name
    return not name.startswith(("mlflow.db", "mlartifacts/"))


def _content(name: str, path: Path) -> Any:
    if name.startswith(RECORDS):
        return _comparable(json.loads(path.read_text()))
    return path.read_bytes()


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(one) for name, one in value.items() if name not in UNEQUAL}
    return value


def mlflow(root: Path) -> list[Any]:
    """Of every current piece of evidence and of the board: what MLflow was told of it.

    A run that was cut off is completed, or stays as it was and is no longer current.
    """
    current = [run for run in held(root) if run["tags"].get("current") == "true"]
    return sorted(
        (
            run["name"],
            run["status"],
            sorted(run["params"].items()),
            sorted(pair for pair in run["metrics"].items() if pair[0] != "tellings"),
            sorted(run["artifacts"].items()),
        )
        for run in current
    )
