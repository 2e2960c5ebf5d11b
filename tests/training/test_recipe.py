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
        ({"steps": None}, "field 'steps' is missing"),
        ({"step": 3}, "unknown field 'step'"),
        ({"steps": 1.5}, "field 'steps' must be int"),
        ({"steps": 0}, "field 'steps' must be positive"),
        ({"batch": -1}, "field 'batch' must be positive"),
        ({"lr": 0}, "field 'lr' must be positive"),
        ({"lr": "1e-3"}, "field 'lr' must be float.*YAML wants a point"),
        ({"lr": float("nan")}, "field 'lr' must be float"),
        ({"crop": 32}, "field 'crop' must be list"),
        ({"crop": [32]}, "field 'crop' is .height, width."),
        ({"crop": [32, 0]}, "field 'crop' is .height, width."),
        ({"crop": ["a", "b"]}, "field 'crop' must list int, not str"),
        ({"crop": [32.5, 32]}, "field 'crop' must list int, not float"),
        ({"scale": [2, 1]}, "field 'scale' is .smallest, largest."),
        ({"scale": [0, 1]}, "field 'scale' is .smallest, largest."),
        ({"scale": [1, 2, 3]}, "field 'scale' is .smallest, largest."),
        ({"scale": ["a", "b"]}, "field 'scale' must list float"),
        ({"scale": [1, float("inf")]}, "field 'scale' must list float"),
        ({"warmup": 10}, "field 'warmup' must be shorter than 'steps'"),
        ({"warmup": -1}, "field 'warmup' must be shorter"),
        ({"optimizer": "adam"}, "field 'optimizer' is one of adamw, sgd, not 'adam'"),
        ({"precision": "fp16"}, "field 'precision' is one of fp32, bf16"),
        ({"balance": "yes"}, "field 'balance' is one of none, median_frequency"),
        ({"flip": 1.5}, "field 'flip' is a probability"),
        ({"photometric": -0.1}, "field 'photometric' is a strength, 0 .none. to 1"),
        ({"photometric": 1.5}, "field 'photometric' is a strength"),
        ({"jitter": 0.1}, "unknown field 'jitter'"),
        ({"cat_max_ratio": 75}, "field 'cat_max_ratio' is a share, 0 to 1"),
        ({"resize_long": 64}, "'resize_long' .64. bounds the long side; 'resize_short' is None"),
        ({"resize_long": 64, "resize_short": 65}, "'resize_short' is 65"),
        ({"resize_long": 0, "resize_short": 65}, "field 'resize_long' must be positive"),
        ({"weight_decay": -0.1}, "field 'weight_decay' must not be negative"),
        ({"power": -1}, "field 'power' must not be negative"),
        ({"resize_short": 0}, "field 'resize_short' must be positive"),
        ({"validate_images": 0}, "field 'validate_images' must be positive"),
        ({"threads": 0}, "field 'threads' must be positive"),
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
    recipe = Recipe("r", "t", steps, 1, (8, 8), 0.1, warmup=warmup)
    rates = [recipe.learning_rate(step) for step in range(steps)]
    assert min(rates) > 0
    assert max(rates) == pytest.approx(0.1)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[warmup] == pytest.approx(0.1)
    last = 0.1 * (1 / (steps - warmup)) ** 0.9
    assert rates[-1] == pytest.approx(last)
