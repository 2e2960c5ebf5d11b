"""What git keeps and what it ignores: a machine's own results never show in `git status`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]

#: Stages whose results are in git: made from files in git alone, they are the same everywhere.
TRACKED = {"efficiency", "leaderboard"}

STAGES: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage)
    for name, stage in yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"].items()
}


@pytest.fixture(autouse=True)
def in_git() -> None:
    if git("rev-parse", "--is-inside-work-tree").returncode:
        pytest.skip("not a clone")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


def outs(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Outputs of a stage with their options; `x` stands for every name that is filled in."""
    for kind in ("outs", "metrics", "plots"):
        for out in STAGES[name].get(kind, ()):
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            yield re.sub(r"\$\{[^}]+\}", "x", path), options


def inputs(name: str) -> set[str]:
    """Files and folders that a stage depends on, those of its parameters too."""
    files = [next(iter(p)) if isinstance(p, dict) else p for p in STAGES[name].get("params", ())]
    return {*STAGES[name].get("deps", ()), *files}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_git_ignores_what_a_machine_computes(name: str) -> None:
    for path, options in outs(name):
        ignored = git("check-ignore", "-q", "--no-index", path).returncode == 0
        assert ignored is (name not in TRACKED), path
        assert options.get("cache", True) is (name not in TRACKED), path
        assert bool(git("ls-files", "--", path).stdout) is (name in TRACKED), path


@pytest.mark.parametrize("name", sorted(TRACKED))
def test_what_is_in_git_is_made_from_what_is_in_git(name: str) -> None:
    made_here = [Path(path) for other in STAGES.keys() - TRACKED for path, _ in outs(other)]
    for path in inputs(name):
        assert git("ls-files", "--", path).stdout, path
        assert git("check-ignore", "-q", "--no-index", path).returncode == 1, path
        assert not any(Path(path) in (out, *out.parents) for out in made_here), path


def test_the_local_board_depends_on_all_that_the_published_one_does() -> None:
    more = {"reports/local/evidence", "reports/local/datasets"}
    assert inputs("local_leaderboard") == inputs("leaderboard") | more


def test_a_copy_on_this_machine_is_no_result_for_another() -> None:
    """DVC's run cache takes no stage that persists; what this one makes names folders here."""
    assert any(options.get("persist") for _, options in outs("registered"))


def test_nothing_local_is_in_git() -> None:
    assert git("ls-files", "reports/local").stdout == ""
