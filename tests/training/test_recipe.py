from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.training.recipe import Recipe, load_recipe

RECIPES = Path(__file__).resolve().parents[2] / "params" / "recipes"
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
        ({"steps": None}, "field 'steps': expected a whole number, found nothing"),
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


@given(st.integers(1, 60), st.data())
def test_the_learning_rate_climbs_to_its_peak_and_falls_towards_zero(steps, data):
    warmup = data.draw(st.integers(0, steps - 1))
    recipe = Recipe(name="r", title="t", steps=steps, batch=1, crop=(8, 8), lr=0.1, warmup=warmup)
    rates = [recipe.learning_rate(step) for step in range(steps)]
    assert min(rates) > 0
    assert max(rates) == pytest.approx(0.1)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[warmup] == pytest.approx(0.1)
    last = 0.1 * (1 / (steps - warmup)) ** 0.9
    assert rates[-1] == pytest.approx(last)
