"""A robustness suite of several corruptions: one pass over the images, and only what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import small_project

from segmodels import steps
from segmodels.core import paths
from segmodels.evaluation import together
from segmodels.evidence import Evidence, evidence_files
from segmodels.runs.run import load_run
from segmodels.steps import robustness

MORE = """
some: {title: two, corruptions: [gaussian_noise], severities: [1, 3], parameter_noise: [0.01],
  every: 2}
more: {title: three, corruptions: [gaussian_noise], severities: [1, 3, 5], parameter_noise: [0.01]}
many: {title: many, corruptions: [gaussian_noise, snow], seeds: [0, 1, 2, 3]}
"""

#: Twice as many files as conditions cannot be open.
FEW_FILES = """
import resource
from segmodels import steps

resource.setrlimit(resource.RLIMIT_NOFILE, (72, 72))
told = []
steps.stress_run("published", "many", steps.Options(progress=lambda *numbers: told.append(numbers)))
assert told == sorted(told) and told[-1] == (120, 120), told
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with these suites, in which a run can be counted."""
    found = small_project.enter(tmp_path / "project", monkeypatch)
    steps.ensure_inputs(load_run("published"))
    with (found / "params" / "robustness.yaml").open("a") as file:
        file.write(MORE)
    return found


def test_a_severity_more_costs_that_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = steps.stress_run("published", "quick")

    asked: list[list[Any]] = []
    told: list[tuple[int, int]] = []

    def noted(subjects: Any, *others: Any) -> None:
        asked.append([one.condition["severity"] for one in subjects])
        together.count_together(subjects, *others)

    monkeypatch.setattr(robustness, "count_together", noted)
    progress = steps.Options(progress=lambda *numbers: told.append(numbers))
    found = steps.stress_run("published", "more", progress)
    assert asked == [[1, 5]]
    assert found[1] == first[0]
    assert found[3] == first[1]
    assert len({one.images for one in found}) == 4
    # Of three images under four conditions; two conditions are known.
    assert told == [(done, 12) for done in range(6, 13)]
    assert len(list(evidence_files(paths.evidence() / "published" / "robustness-more"))) == 4

    again = steps.stress_run("published", "more", steps.Options(force=True))
    assert asked == [[1, 5], [1, 3, 5]]
    assert again == found
    left = root / ".cache/.clean-weights.0/weights.safetensors"
    left.parent.mkdir()
    left.touch()  # as a kill in the last condition leaves it, which is not counted again
    steps.stress_run("published", "more")
    assert len(asked) == 2
    assert not left.parent.exists()
    assert not list((root / ".cache" / "evaluations").glob("*.jsonl"))


@pytest.mark.usefixtures("root")
def test_every_other_image_has_the_counts_that_it_has_among_all() -> None:
    told: list[tuple[int, int]] = []
    progress = steps.Options(progress=lambda *numbers: told.append(numbers))
    some = steps.stress_run("published", "some", progress)
    assert told[-1] == (6, 6)  # two images under three conditions
    whole = {key_of(one): one for one in steps.stress_run("published", "more")}
    for one in some:
        condition = {k: v for k, v in (one.identity.condition or {}).items() if k != "every"}
        assert list(one.images) == list(whole[str(condition)].images)[::2]


@pytest.mark.usefixtures("root")
def test_more_conditions_than_files_may_be_open() -> None:
    command = [sys.executable, "-c", FEW_FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    place = paths.evidence() / "published" / "robustness-many"
    counted = {path.name: path.read_bytes() for path in place.iterdir()}
    assert len(counted) == 2 * 40
    steps.stress_run("published", "many", steps.Options(force=True))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == counted


def key_of(evidence: Evidence) -> str:
    return str(evidence.identity.condition)
