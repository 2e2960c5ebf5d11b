from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.runs.recipe_files import inherited
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule

RECIPES = Path(__file__).resolve().parents[2] / "params" / "recipes"
CONVENTIONS = ["plain", "mmcv", "mmengine"]
FIELDS = {"title": "t", "steps": 10, "batch": 2, "crop": [32, 48], "lr": 0.001}


@pytest.fixture
def write(tmp_path, edit_yaml):
    def _write(**changes):
        path = tmp_path / "odd.yaml"
        path.write_text("{}")
        edit_yaml(path, lambda content: content.update({**FIELDS, **changes}))
        return tmp_path

    return _write


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_the_recipes_of_this_project_are_valid(name):
    recipe = load_recipe(name, RECIPES)
    assert recipe.name == name
    assert json.loads(json.dumps(recipe.to_dict())) == recipe.to_dict()


def test_a_recipe_has_tuples_and_defaults(write):
    recipe = load_recipe("odd", write(scale=[1, 2.5]))
    assert (recipe.crop, recipe.scale) == ((32, 48), (1, 2.5))
    assert (recipe.optimizer, recipe.balance, recipe.resize_short) == ("adamw", "none", None)


def test_an_augmentation_that_is_left_out_is_that_of_the_papers(write):
    recipe = load_recipe("odd", write())
    assert (recipe.scale, recipe.cat_max_ratio, recipe.flip) == ((0.5, 2.0), 0.75, 0.5)
    assert recipe.photometric == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": None}, "give either 'steps' or 'epochs'"),
        ({"epochs": 3}, "give either 'steps' or 'epochs'"),
        ({"steps": None, "epochs": 0}, "field 'epochs': expected above 0, found 0"),
        ({"min_lr": 0.002}, "field 'min_lr' .0.002. must not be above 'lr' .0.001."),
        ({"momentum": 0.9}, "field 'momentum' is for 'sgd', and 'optimizer' is 'adamw'"),
        ({"optimizer": "sgd", "eps": 1e-8}, "field 'eps' is for 'adamw', and 'optimizer' is 'sgd'"),
        ({"optimizer": "sgd", "fused": True}, "field 'fused' is for 'adamw'"),
        ({"optimizer": "sgd", "momentum": 1}, "field 'momentum': expected at least 0 and below 1"),
        ({"optimizer": "sgd", "momentum": 0}, "field 'nesterov' needs a 'momentum' above 0"),
        ({"betas": [0.9]}, r"field 'betas.1.' is missing"),
        ({"groups": [{"lr": 10}]}, "give 'contains' or 'kind', or both"),
        ({"groups": [{"contains": "head", "lr": 0}]}, r"'groups.0..lr': expected above 0, found 0"),
        ({"groups": [{"kind": "norm"}]}, "expected 'vector' or 'bias', found 'norm'"),
        ({"groups": [{"containing": "head"}]}, "unknown field 'groups.0..containing'"),
        ({"schedule": "poly"}, "expected 'plain', 'mmcv' or 'mmengine', found 'poly'"),
        ({"warmup_ratio": 0.1}, "field 'warmup_ratio' needs steps of 'warmup'"),
        ({"warmup": 2, "warmup_kind": "constant"}, "a constant warm-up needs a 'warmup_ratio'"),
        ({"accumulate": 3}, "field 'accumulate' .3. parts a 'batch' of 2 images"),
        ({"clip": 0}, "field 'clip': expected above 0, found 0"),
        ({"clip": "never"}, "field 'clip': expected a number, found 'never'"),
        ({"drop_path": 1}, "field 'drop_path': expected at least 0 and below 1, found 1"),
        ({"loss_mean": "batch"}, "expected 'valid', 'all' or 'mmseg', found 'batch'"),
        ({"step": 3}, "unknown field 'step'"),
        ({"steps": 1.5}, "field 'steps': expected a whole number, found 1.5"),
        ({"steps": 0}, "field 'steps': expected above 0, found 0"),
        ({"batch": -1}, "field 'batch': expected above 0, found -1"),
        ({"lr": 0}, "field 'lr': expected above 0, found 0"),
        ({"lr": "1e-3"}, "field 'lr': expected a number, found '1e-3'.*YAML wants a point"),
        ({"lr": float("nan")}, "field 'lr': expected a finite number, found nan"),
        ({"crop": 32}, "field 'crop': expected a list, found 32"),
        ({"crop": [32]}, r"field 'crop.1.' is missing"),
        ({"crop": [32, 0]}, r"field 'crop.1.': expected at least 1 and at most 100000, found 0"),
        ({"crop": ["a", "b"]}, r"field 'crop.0.': expected a whole number, found 'a'"),
        ({"crop": [32.5, 32]}, r"field 'crop.0.': expected a whole number, found 32.5"),
        ({"scale": [2, 1]}, "field 'scale' is .smallest, largest."),
        ({"scale": [0, 1]}, r"field 'scale.0.': expected above 0, found 0"),
        ({"scale": [1, 2, 3]}, "field 'scale': expected at most 2 items, found"),
        ({"scale": ["a", "b"]}, r"field 'scale.0.': expected a number, found 'a'"),
        ({"scale": [1, float("inf")]}, r"field 'scale.1.': expected a finite number, found inf"),
        ({"warmup": 10}, "field 'warmup' .10. must be shorter than 'steps' .10."),
        ({"warmup": -1}, "field 'warmup': expected at least 0, found -1"),
        ({"optimizer": "adam"}, "expected 'adamw' or 'sgd', found 'adam'. Did you mean 'adamw'"),
        ({"precision": "fp16"}, "field 'precision': expected 'fp32' or 'bf16', found 'fp16'"),
        (
            {"balance": "yes"},
            "field 'balance': expected 'none', 'median_frequency' or 'log', found 'yes'",
        ),
        ({"flip": 1.5}, "field 'flip': expected at least 0 and at most 1, found 1.5"),
        ({"photometric": -0.1}, "field 'photometric': expected at least 0"),
        ({"photometric": 1.5}, "field 'photometric': expected at least 0 and at most 1, found 1.5"),
        ({"jitter": 0.1}, "unknown field 'jitter'"),
        (
            {"cat_max_ratio": 75},
            "field 'cat_max_ratio': expected at least 0 and at most 1, found 75",
        ),
        ({"resize_long": 64}, "'resize_long' .64. bounds the long side; 'resize_short' is None"),
        ({"resize_long": 64, "resize_short": 65}, "'resize_short' is 65"),
        ({"resize_long": 0, "resize_short": 65}, "field 'resize_long': expected above 0"),
        (
            {"weight_decay": -0.1},
            "field 'weight_decay': expected at least 0, found -0.1",
        ),
        ({"power": -1}, "field 'power': expected at least 0, found -1"),
        ({"resize_short": 0}, "field 'resize_short': expected above 0"),
        ({"patience": 3}, "field 'patience' needs 'keep: best'"),
        ({"keep": "bset"}, "expected 'last' or 'best', found 'bset'"),
        ({"ema": 1}, "field 'ema': expected"),
        ({"validate_images": 0}, "field 'validate_images': expected above 0"),
        ({"threads": 0}, "field 'threads': expected above 0"),
    ],
)
def test_a_broken_recipe_is_named(write, changes, message):
    folder = write(**changes)
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_recipe("odd", folder)
    assert "odd" in str(caught.value)


def test_an_unknown_recipe_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'shapes-nano'"):
        load_recipe("shapes-nanno", RECIPES)


# --- one on top of another ---------------------------------------------------------------


@pytest.fixture
def family(tmp_path, edit_yaml):
    """Writes several recipes into one folder."""

    def _write(**recipes):
        for name, fields in recipes.items():
            (tmp_path / f"{name}.yaml").write_text("{}")
            edit_yaml(tmp_path / f"{name}.yaml", lambda content, new=fields: content.update(new))
        return tmp_path

    return _write


def test_a_recipe_inherits_what_it_does_not_say(family):
    folder = family(
        base={**FIELDS, "scale": [1, 2], "min_lr": 1e-5},
        middle={"inherits": "base", "lr": 0.5},
        top={"inherits": "middle", "title": "mine", "crop": [8, 8]},
    )
    alone = {**FIELDS, "scale": [1, 2], "min_lr": 1e-5, "lr": 0.5, "title": "mine", "crop": [8, 8]}
    family(alone=alone)
    top, written = load_recipe("top", folder).to_dict(), load_recipe("alone", folder).to_dict()
    assert {**top, "name": ""} == {**written, "name": ""}
    assert top["name"] == "top"
    assert inherited("top", folder) == ["top", "middle", "base"]


def test_steps_give_way_to_epochs(family):
    folder = family(base=FIELDS, top={"inherits": "base", "steps": None, "epochs": 3})
    recipe = load_recipe("top", folder)
    assert (recipe.steps, recipe.epochs) == (None, 3)
    assert [recipe.total_steps(images) for images in (2, 3, 4, 5)] == [3, 6, 6, 9]
    assert load_recipe("base", folder).total_steps(5) == 10


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ({"inherits": "bse"}, r"top.yaml: field 'inherits': Unknown recipe 'bse'. Did you mean"),
        (
            {"inherits": "top"},
            r"top.yaml: field 'inherits': recipes inherit in a circle, top -> top",
        ),
        (
            {"inherits": "ring"},
            r"ring.yaml: field 'inherits': recipes inherit in a circle, top -> ring -> top",
        ),
        (
            {"inherits": "third"},
            r"top -> third -> second -> base is a chain of 4 recipes; at most 3",
        ),
        ({"inherits": 3}, r"field 'inherits': expected the name of a recipe, found 3"),
        ({"inherits": "base", "lrr": 1}, r"top.yaml \(inherits base\): unknown field 'lrr'"),
        ({"inherits": "base", "optimizer": "sgd", "eps": 1e-8}, "'eps' is for 'adamw'"),
    ],
)
def test_a_broken_inheritance_is_named(family, top, message):
    third = {"second": {"inherits": "base"}, "third": {"inherits": "second"}}
    folder = family(base=FIELDS, ring={"inherits": "top"}, top=top, **third)
    with pytest.raises(SegmodelsError, match=message):
        load_recipe("top", folder)


def test_a_file_of_no_fields_is_named(tmp_path):
    (tmp_path / "list.yaml").write_text("[1, 2]")
    with pytest.raises(SegmodelsError, match=r"list.yaml: .*expected"):
        load_recipe("list", tmp_path)


# --- learning rates ----------------------------------------------------------------------


@given(st.integers(1, 60), st.data())
def test_the_learning_rate_climbs_to_its_peak_and_falls_towards_zero(steps, data):
    warmup = data.draw(st.integers(0, steps - 1))
    rates = rates_of(steps, warmup=warmup)
    assert min(rates) > 0
    assert max(rates) == pytest.approx(0.1)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[warmup] == pytest.approx(0.1)
    last = 0.1 * (1 / (steps - warmup)) ** 0.9
    assert rates[-1] == pytest.approx(last)


def rates_of(steps, factor=1, **fields):
    recipe = Recipe(name="r", title="t", steps=steps, batch=1, crop=(8, 8), lr=0.1, **fields)
    schedule = Schedule(recipe, steps)
    return [schedule.lr(step, factor) for step in range(steps)]


def test_rates_of_recipes_without_the_newer_fields_are_the_same_to_the_bit():
    """Weights trained before are compared by their bytes."""
    rates = rates_of(50, warmup=7)
    assert rates[:7] == [0.1 * (step + 1) / 7 for step in range(7)]
    assert rates[7:] == [0.1 * float(((50 - step) / 43) ** 0.9) for step in range(7, 50)]


@pytest.mark.parametrize("kind", ["linear", "constant", "exponential"])
@pytest.mark.parametrize("schedule", ["plain", "mmcv", "mmengine"])
def test_every_warm_up_begins_with_its_share_and_ends_at_the_decay(schedule, kind):
    fields = {"schedule": schedule, "power": 1, "min_lr": 0.001}
    rates = rates_of(40, warmup=8, warmup_kind=kind, warmup_ratio=0.25, **fields)
    assert rates[:8] == sorted(rates[:8]) or kind == "constant"
    assert max(rates) <= 0.1 + 1e-12
    if schedule != "plain":  # which begins one step further
        assert rates[0] == pytest.approx(0.025)
    after = {"plain": 0.1, "mmcv": (0.1 - 0.001) * (1 - 8 / 40) + 0.001, "mmengine": 0.1}
    assert rates[8] == pytest.approx(after[schedule])
    middle = {"linear": (0.25 + 0.75 * 0.5), "constant": 0.25, "exponential": 0.25**0.5}[kind]
    half = {"plain": 3, "mmcv": 4, "mmengine": None}[schedule]
    if half is not None:
        decay = 1 if schedule == "plain" else ((0.1 - 0.001) * (1 - 4 / 40) + 0.001) / 0.1
        assert rates[half] == pytest.approx(0.1 * middle * decay)


def test_the_last_step_by_each_convention():
    """Only mmengine arrives at the end; the others would in the step after."""
    last = {one: rates_of(10, schedule=one, min_lr=0.01, power=1)[-1] for one in CONVENTIONS}
    assert last == pytest.approx({"plain": 0.019, "mmcv": 0.019, "mmengine": 0.01})


@pytest.mark.parametrize("schedule", CONVENTIONS)
def test_the_end_is_no_multiple_of_a_groups_factor(schedule):
    rates = rates_of(2000, factor=10, schedule=schedule, min_lr=0.01)
    assert rates[0] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("schedule", CONVENTIONS)
def test_a_training_of_a_single_step_is_at_the_peak(schedule):
    assert rates_of(1, schedule=schedule) == [0.1]
    assert rates_of(2, schedule=schedule, warmup=1, warmup_ratio=0.5)[1] > 0


def test_a_warm_up_longer_than_the_epochs_is_named():
    recipe = Recipe(name="r", title="t", epochs=2, batch=4, crop=(8, 8), lr=0.1, warmup=6)
    assert Schedule(recipe, recipe.total_steps(13)).lr(0) == pytest.approx(0.1 / 6)
    with pytest.raises(SegmodelsError, match=r"recipe 'r': field 'warmup' .6. .* has 6 steps"):
        Schedule(recipe, recipe.total_steps(12))
