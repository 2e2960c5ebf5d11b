"""What stages are asked to do: exactly what they depend on, in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import small_project

from segmodels import steps
from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.errors import SegmodelsError
from segmodels.runs.suite import activate

Edit = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project, its two runs active."""
    root = small_project.enter(tmp_path / "project", monkeypatch)
    (root / "params/suites/quick.yaml").write_text("title: both\nruns: [tiny, published]\n")
    activate(["quick"])
    return root


@pytest.fixture
def written(project: Path) -> Callable[[], dict[str, str]]:
    """Writes what is asked for; the texts by group and name."""

    def write() -> dict[str, str]:
        found = steps.write_asked()
        there = {path for path in paths.asked().rglob("*") if path.is_file()}
        assert there == set(found)
        return {f"{path.parent.name}/{path.stem}": path.read_text() for path in found}

    return write


def test_every_stage_of_the_active_file_has_one(written: Callable[[], dict[str, str]]) -> None:
    assert set(written()) == {
        "prepare/shapes",
        "weights/published",
        "train/tiny",
        "evaluate/tiny-plain",
        "evaluate/tiny-views",
        "evaluate/published-plain",
        "robustness/tiny-quick",
    }


@pytest.mark.parametrize(
    ("file", "change", "stale"),
    [
        ("recipes/tiny.yaml", lambda e: e.update(steps=9), {"train/tiny"}),
        ("recipes/other.yaml", lambda e: e.update(steps=9), set()),
        ("runs/tiny.yaml", lambda e: e.update(seed=9), {"train/tiny"}),
        ("protocols.yaml", lambda e: e["views"].update(flip=False), {"evaluate/tiny-views"}),
        ("protocols.yaml", lambda e: e["views"].update(version=9), {"evaluate/tiny-views"}),
        ("weights.yaml", lambda e: e["published"].update(licence="other"), set()),
        ("weights.yaml", lambda e: e["published"]["files"].pop(), {"weights/published"}),
        ("runs/tiny.yaml", lambda e: e.update(overrides={"depth": 2}), {"train/tiny"}),
        ("robustness.yaml", lambda e: e["quick"].update(title="x"), {"robustness/tiny-quick"}),
        ("datasets.yaml", lambda e: e["shapes"]["settings"].update(test=9), {"prepare/shapes"}),
    ],
)
def test_a_change_is_told_to_the_stages_that_depend_on_it(
    written: Callable[[], dict[str, str]],
    project: Path,
    edit_yaml: Edit,
    file: str,
    change: Callable[[dict[str, Any]], object],
    stale: set[str],
) -> None:
    before = written()
    path = project / "params" / file
    if not path.exists():
        path.write_text((project / "params/recipes/tiny.yaml").read_text())
    edit_yaml(path, change)
    after = written()
    assert {name for name in after if after[name] != before[name]} == stale


def test_what_says_the_same_is_left_alone(
    written: Callable[[], dict[str, str]], project: Path
) -> None:
    written()
    path = paths.asked() / "train" / "tiny.json"
    before = path.stat().st_mtime_ns, path.stat().st_ino
    (paths.asked() / "train" / "gone.json").write_text("{}")
    written()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_a_recipe_brings_those_that_it_inherits(
    written: Callable[[], dict[str, str]], project: Path, edit_yaml: Edit
) -> None:
    recipes = project / "params" / "recipes"
    (recipes / "base.yaml").write_text((recipes / "tiny.yaml").read_text())
    (recipes / "tiny.yaml").write_text("inherits: base\nlr: 0.5\n")
    written()
    asked = read_json(paths.asked() / "train" / "tiny.json")
    assert [recipe["lr"] for recipe in asked["recipes"]] == [0.5, 1e-3]


def test_a_broken_file_leaves_what_was_written(
    written: Callable[[], dict[str, str]], project: Path
) -> None:
    before = written()
    (project / "params/recipes/tiny.yaml").write_text("steps: [")
    with pytest.raises(SegmodelsError, match=r"tiny\.yaml"):
        steps.write_asked()
    assert {f"{p.parent.name}/{p.stem}": p.read_text() for p in paths.asked().rglob("*.json")} == (
        before
    )
