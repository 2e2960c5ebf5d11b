"""Our step against stored first steps of the official training codes, from the same weights.

The vectors lie in the mirror; whatever cases of these kinds lie there are compared.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from official_training import RECIPES, OfficialRun, network_name, official_keys, recipe_name

from segmodels.models import create_model
from segmodels.models.undrawn import Undrawn
from segmodels.training.optimizer import treatment, treatments
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule

# Read when tests are collected, before `clean_environment` hides it.
FOLDER = Path(os.environ.get("SEGMODELS_MIRROR", "nowhere")).expanduser() / "reference" / "training"
CASES = sorted(
    path.stem for path in FOLDER.glob("cases/*.json") if path.with_suffix(".npz").is_file()
)


@pytest.fixture(scope="module")
def reference(mirror: Path) -> ModuleType:
    if not CASES:
        pytest.skip(f"no training vectors in {FOLDER}")
    spec = importlib.util.spec_from_file_location("training_vectors", FOLDER / "training.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _each(name: str, precision: str) -> Any:
    """A case; those of a ResNet take half a minute each."""
    slow = re.search(r"_r\d+", name)
    return pytest.param(name, precision, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(
    ("name", "precision"), [_each(name, p) for name in CASES for p in ("single", "double")]
)
def test_the_first_steps_are_those_of_the_official_code(
    reference: Any, name: str, precision: str, tmp_path: Path
) -> None:
    case = reference.load_case(FOLDER / "cases" / f"{name}.json")
    run = OfficialRun(reference, case, tmp_path, precision)
    result = reference.compare(case, run.report(), precision)
    assert result["ok"], result["failures"][:5]
    assert result["not_checked"] == []


# --- schedules of the full runs --------------------------------------------------------


def table(name: str, key: str) -> dict[str, Any]:
    """A table beside the cases; empty where there is no mirror."""
    path = FOLDER / "cases" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text())[key] if path.is_file() else {}
    return found


SCHEDULES = table("schedules", "schedules")


def recipe_of_schedule(table: dict[str, Any]) -> Recipe:
    """A recipe with the schedule that a table describes."""
    usual = load_recipe("segmenter-tiny-ade20k", RECIPES)
    lr = table["base_lr"]
    fields: dict[str, Any] = {"lr": lr["base"] if isinstance(lr, dict) else lr}
    if "param_scheduler" in table:
        pieces = {piece["type"]: piece for piece in table["param_scheduler"]}
        poly, linear = pieces["PolyLR"], pieces.get("LinearLR", {})
        fields |= {"schedule": "mmengine", "min_lr": poly["eta_min"], "power": poly["power"]}
        warmup = {"warmup": linear.get("end"), "warmup_ratio": linear.get("start_factor")}
    elif "config" in table:
        own = table["config"]
        fields |= {"schedule": "mmcv", "min_lr": own["min_lr"], "power": own["power"]}
        warmup = {"warmup": own.get("warmup_iters"), "warmup_ratio": own.get("warmup_ratio")}
    else:
        warmup = {}
    fields |= warmup if warmup.get("warmup") else {}
    return usual.replace(steps=table["total"], epochs=None, **fields)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_schedules_of_full_runs_are_the_official_ones(reference: Any, name: str) -> None:
    table = SCHEDULES[name]
    schedule = Schedule(recipe_of_schedule(table), table["total"])
    bases = table["base_lr"] if isinstance(table["base_lr"], dict) else {"base": table["base_lr"]}

    def lr(step: int, group: str) -> float:
        return schedule.lr(step, round(bases[group] / bases["base"], 6))

    assert reference.compare_schedule(SCHEDULES, name, lr)["bad"] == []


@pytest.mark.parametrize(
    ("name", "recipe", "images"),
    [
        ("segmenter_ade20k", "segmenter-tiny-ade20k", 20210),
        ("segmenter_ade20k", "depict-large-640-ade20k", 20210),
        ("segmenter_cityscapes", "segmenter-large-cityscapes", 2975),
        ("segformer_160k", "segformer-b5-ade20k", 1),
        ("segformer_160k", "segformer-b0-cityscapes-512", 1),
        ("upernet_swin_160k_mmseg1x", "upernet-swin-large-ade20k", 1),
        ("setr_pup_ade20k_160k_mmseg1x", "setr-pup-ade20k", 1),
        ("mmseg_cnn_40k_mmseg1x", "resnet101-cityscapes-40k", 1),
    ],
)
def test_recipes_have_the_schedules_of_their_papers(
    mirror: Path, name: str, recipe: str, images: int
) -> None:
    table, given = SCHEDULES[name], load_recipe(recipe, RECIPES)
    schedule = Schedule(given, given.total_steps(images))
    heads = [rule.lr for rule in given.groups if rule.contains == "head"]
    factors = {"base": 1, "head": heads[0] if heads else 1}
    assert schedule.steps == table["total"]
    for group, rows in table["lr_used_by_step"].items():
        assert [schedule.lr(step, factors[group]) for step, _ in rows] == pytest.approx(
            [lr for _, lr in rows], rel=1e-10, abs=1e-20
        )


# --- groups of parameters --------------------------------------------------------------

GROUPS = table("groups", "models")


@pytest.mark.parametrize("name", GROUPS)
def test_rules_give_official_names_their_official_treatment(mirror: Path, name: str) -> None:
    recipe = load_recipe(recipe_name(name), RECIPES)
    official = {key: tuple(value) for key, value in GROUPS[name]["params"].items()}
    vector = torch.zeros(1)  # no rule of these recipes asks for a shape
    assert {key: treatment(key, vector, recipe) for key in official} == official


@pytest.mark.parametrize("name", [name for name in GROUPS if network_name(name)])
def test_parameters_are_treated_as_the_official_ones(mirror: Path, name: str) -> None:
    official = {key: tuple(value) for key, value in GROUPS[name]["params"].items()}
    with Undrawn(), torch.device("meta"):
        model = create_model(str(network_name(name)))
    recipe = load_recipe(recipe_name(name), RECIPES)
    ours = {one: tuple(done) for one, done in treatments(model, recipe)}
    keys = official_keys(official)
    assert ours == {one: official[keys[one]] for one in ours}
    trained = official.keys() - set(GROUPS[name].get("never_updated", ()))
    assert {keys[one] for one in ours} == trained
