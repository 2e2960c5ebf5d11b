"""Trainings against a printed number: within, beyond, or not to be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.verdicts.equivalence import compare_seeds, sentence

MARGIN = 0.505


def compared(values, printed=50.0, margin=MARGIN, seeds=3):
    return compare_seeds(values, printed, margin, 0.95, seeds)


def test_the_widths_are_those_of_students_t():
    found = compared([49.9, 50.0, 50.1])
    assert (found.side, found.gap) == ("within", pytest.approx(0))
    assert found.mean == pytest.approx(4.30265 * 0.1 / math.sqrt(3), rel=1e-5)
    assert found.single == pytest.approx(4.30265 * 0.1 * math.sqrt(4 / 3), rel=1e-5)
    told = sentence(found)
    assert "The mean of 3 seeds, 50.00 ± 0.25 (95% interval), lies within 0.505 points" in told


def test_ignorance_verifies_nothing():
    """The further trainings are apart, the less is said, however right their mean is."""
    sides = [compared([50 - d, 50, 50 + d]).side for d in (0, 0.1, 0.2, 0.21, 0.5, 5)]
    assert sides == ["within"] * 3 + ["undecided"] * 3


@pytest.mark.parametrize("values", [[50.0], [50.0, 50.0]])
def test_fewer_than_three_seeds_say_nothing(values):
    found = compared(values)
    assert (found.side, found.enough) == ("undecided", 3)
    assert sentence(found).endswith("At least 3 seeds are needed.")
    far = compared([value - 30 for value in values])
    assert far.side == "undecided"


def test_beyond_is_beyond_what_one_training_may_come_to():
    """The printed number is one training, whose luck accuses nobody."""
    values = [49.0, 49.1, 49.2]
    assert compared(values, 49.3).side == "within"
    assert compared(values, 49.9).side == "undecided"  # 0.8 away, and ± 0.5 is a single training
    found = compared(values, 50.2)
    assert (found.side, found.gap) == ("beneath", pytest.approx(-1.1))
    told = sentence(found)
    assert told.startswith("1.10 points below the printed number: 95% of single trainings come to")
    assert compared(values, 48.0).side == "above"


def test_it_says_how_many_seeds_would_decide():
    found = compared([49.5, 50.0, 50.5])
    assert found.side == "undecided"
    n = found.enough
    assert n is not None
    assert 5 <= n <= 8
    again = list(np.linspace(-1, 1, n))
    scale = 0.5 / np.std(again, ddof=1)
    assert compared([50 + scale * x for x in again]).side == "within"
    assert f"About {n} seeds would decide" in sentence(found)


def test_it_says_when_no_number_of_seeds_would():
    found = compared([48.0, 49.0, 50.0])  # a point away, and trainings are a point apart
    assert (found.side, found.enough, found.hopeless) == ("undecided", None, True)
    assert "No number of seeds would decide" in sentence(found)
    many = compared([50 + 10 * x for x in (-1, 0, 1)])
    assert (many.enough, many.hopeless) == (None, False)
    assert sentence(many).endswith("More than 100 seeds would be needed.")


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=8),
    st.floats(-5, 5),
    st.floats(0.01, 3),
)
def test_mirrored_numbers_mirror_the_answer(values, printed, margin):
    sides = {"within": "within", "undecided": "undecided", "above": "beneath", "beneath": "above"}
    one = compared(values, printed, margin)
    other = compared([-value for value in values], -printed, margin)
    assert other.side == sides[one.side]
    assert sentence(one)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_how_often_the_words_are_wrong(seeds):
    """Both errors stay below 5 %: of a recipe at the edge, and of a true repetition."""
    random = np.random.RandomState(seeds)
    verified = accused = 0
    for _ in range(1000):
        spread = random.choice([0.1, 0.3, 0.6])
        edge = random.normal(50.0 + MARGIN, spread, seeds)  # the recipe gives more than tolerated
        verified += compared(list(edge)).side == "within"
        printed = random.normal(50.0, spread)  # one training of the very same recipe
        accused += compared(list(random.normal(50.0, spread, seeds)), printed).side in (
            "above",
            "beneath",
        )
    assert verified < 50
    assert accused < 50
