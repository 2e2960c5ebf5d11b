"""The suites of the papers as they stand, on miniatures of their datasets with small networks.

From the archives to the leaderboard, by the commands of dvc.yaml: what is small is the images, the
networks, the number of steps and, with them, crops and windows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import miniatures
import pytest
import tiny_networks
import torch
import yaml

from flows import stages
from segmodels.core.exits import DONE
from segmodels.leaderboard import rows_here
from segmodels.runs.run import Run
from segmodels.runs.suite import activate, load_suite, suite_names

ROOT = Path(__file__).resolve().parent.parent

SUITES = [name for name in suite_names() if re.search("ade20k|cityscapes|context|stuff$", name)]

#: The suite of fewest stages.
SHORT = "depict-pascal-context"

#: Fields of pixels, in recipes and protocols, and by how much they are less here.
PIXELS = ("resize_short", "resize_long", "resize_fixed", "window", "stride", "whole_image")
LESS = 8

#: Initial weights that are nowhere, and released ones that are here, with what their name does
#: not say of the network.
IMAGENET = ("-augreg", "-imagenet1k", "-timm", "patch16-384")
NOWHERE = "vit-base-patch8-384"
HERE: dict[str, dict[str, Any]] = {
    "segmenter-tiny-mask-ade20k": {},
    "segmenter-large-mask-cityscapes": {"decoder_layers": 1},
    "segmenter-large-mask-pascal-context": {},
    "segformer-b0-ade-512-512": {},
    "segformer-b0-cityscapes-768-768": {},
    "upernet-swin-tiny-ade20k": {},
}


Edit = Callable[[Path, Callable[[dict[str, Any]], object]], None]


@pytest.fixture
def small(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit_yaml: Edit
) -> Callable[[str], list[Run]]:
    """Makes a suite the active one of a small project that has what it needs; its runs."""
    mirror = tmp_path / "mirror"
    monkeypatch.setenv("SEGMODELS_MIRROR", str(mirror))
    monkeypatch.chdir(project)
    # The board is judged at the end; after each of hundreds of evaluations it would take most time.
    monkeypatch.setattr(stages, "rows_of_run", lambda _: [])
    monkeypatch.setattr(stages, "rows_here", list)
    torch.set_num_threads(1)
    tiny_networks.shrink(monkeypatch)
    for recipe in (project / "params" / "recipes").iterdir():
        edit_yaml(recipe, _shorten)
    edit_yaml(project / "params" / "protocols.yaml", lambda every: [*map(_reduce, every.values())])
    edit_yaml(project / "params" / "robustness.yaml", _one_condition)

    def begin(suite: str) -> list[Run]:
        runs = load_suite(suite)
        (dataset,) = {run.dataset for run in runs}
        entry = miniatures.draw(dataset, mirror)
        edit_yaml(project / "params/datasets.yaml", lambda every: every[dataset].update(entry))
        wanted = {name for run in runs for name in (run.weights, run.initial) if name}
        here = {name for name in wanted if name in HERE or name.endswith(IMAGENET)}
        edit_yaml(project / "params/weights.yaml", lambda every: _bring(every, here, mirror))
        activate([suite])
        return runs

    return begin


def _shorten(recipe: dict[str, Any]) -> None:
    short = {
        "steps": 2,
        "epochs": 1,
        "batch": 2,
        "warmup": 1,
        "validate_every": 2,
        "validate_images": 1,
    }
    recipe.update({name: value for name, value in short.items() if name in recipe})
    if "crop" in recipe:
        recipe["crop"] = [max(32, side // LESS // 32 * 32) for side in recipe["crop"]]
    if "inherits" not in recipe:
        recipe["threads"] = 1
    _reduce(recipe)


def _reduce(entry: dict[str, Any]) -> None:
    for name in PIXELS:
        if (value := entry.get(name)) is not None:
            entry[name] = [v // LESS for v in value] if isinstance(value, list) else value // LESS


def _one_condition(suites: dict[str, Any]) -> None:
    suites["quick"].update(corruptions=["contrast"], severities=[3], parameter_noise=[0.03])


def _bring(every: dict[str, Any], here: set[str], mirror: Path) -> None:
    """Weights that are here in the mirror, and an address where nobody is for all others."""
    for name, entry in every.items():
        if name in here:
            classes = tiny_networks.IMAGENET_CLASSES if name.endswith(IMAGENET) else _classes(name)
            files = tiny_networks.write_weights(
                entry["model"], classes, mirror / name, **HERE.get(name, {})
            )
            entry["files"] = [{"name": one} for one in files]
        for file in entry.get("files", []):
            file["url"] = f"http://127.0.0.1:9/{file['name']}"
            file.pop("revision", None)


def _classes(weights: str) -> int:
    """Of the dataset that released weights are named after."""
    return next(
        n for part, n in {"ade": 150, "cityscapes": 19, "context": 60}.items() if part in weights
    )


def _commands() -> Iterator[list[str]]:
    """Arguments of `flows.stages`, stage by stage of dvc.yaml, for what is active."""
    active = yaml.safe_load(Path("params/active.yaml").read_text())
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        each = active[stage["foreach"][2:-1]] if "foreach" in stage else [""]
        for key in each:
            fields = each[key] if isinstance(each, dict) else {}
            values = {f"item.{name}": value for name, value in fields.items()}
            command = stage.get("do", stage)["cmd"].removeprefix("python -m flows.stages ")
            for name, value in {**values, "key": key, "item": key}.items():
                command = command.replace(f"${{{name}}}", str(value))
            yield command.split()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suite", [name for name in SUITES if name != SHORT])
def test_a_suite(suite: str, small: Callable[[str], list[Run]]) -> None:
    _assert_done(small(suite))


def test_a_short_suite(small: Callable[[str], list[Run]], monkeypatch: pytest.MonkeyPatch) -> None:
    """What of them is run every time, without costs; all others are marked as slow."""
    monkeypatch.setitem(stages.STAGES, "efficiency", lambda: None)
    _assert_done(small(SHORT))


def _assert_done(runs: list[Run]) -> None:
    """Bring a suite up to date; what has images and weights is counted, and all else said."""
    failed = [command for command in _commands() if stages.main(command) != DONE]
    missing = {run.name: run.weights or run.initial for run in runs if _lacks_weights(run)}
    assert {names[0] for _, *names in failed} == {*missing, *missing.values()}
    rows = rows_here()
    for run in runs:
        claims = [row for row in rows if row.subject.id in run.retrains or row.run == run.name]
        assert claims or run.name in missing  # its claim may be answered by a training
        for row in claims:
            if run.name in missing:
                assert row.verdict.verified is None or "retrained" in (row.verdict.level or "")
                assert row.verdict.reason
            else:
                assert row.verdict.verified is not None, row.verdict.reason


def _lacks_weights(run: Run) -> bool:
    return run.initial == NOWHERE if run.recipe else run.weights not in HERE
