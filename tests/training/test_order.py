"""Which images a step sees: permutations, from the seed alone."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmodels.training.order import Order, Turn


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 2**40))
def test_every_image_once_in_every_epoch(images, batch, seed):
    order = Order(images, batch, seed)
    turns = [turn for step in range(images * 3) for turn in order.at(step)]
    for epoch in range(3):
        seen = turns[epoch * images : (epoch + 1) * images]
        assert sorted(turn.index for turn in seen) == list(range(images))
        assert {turn.epoch for turn in seen} == {epoch}
    assert all(len(order.at(step)) == batch for step in range(5))


def test_a_step_does_not_depend_on_the_steps_before():
    order = Order(10, 4, 1)
    ahead = [order.at(step) for step in range(12)]
    back = [Order(10, 4, 1).at(step) for step in reversed(range(12))]
    assert ahead == back[::-1]
    assert [turn.epoch for turn in order.at(2)] == [0, 0, 1, 1]  # a batch may span epochs


def test_seeds_and_epochs_shuffle_anew():
    orders = {
        (seed, epoch): tuple(turn.index for turn in Order(20, 20, seed).at(epoch))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9


def test_a_second_image_follows_any_other():
    """No order is fixed between neighbours: over epochs every pair occurs."""
    pairs = Counter()
    for epoch in range(400):
        indices = [turn.index for turn in Order(4, 4, 0).at(epoch)]
        pairs.update(pairwise(indices))
    assert set(pairs) == {(a, b) for a in range(4) for b in range(4) if a != b}
    assert max(pairs.values()) < 2 * min(pairs.values())


def test_chance_belongs_to_seed_epoch_and_image():
    """Also where numbers are 0: a stream of [1, 2] and one of [1, 2, 0] would be the same."""
    values = {
        (seed, epoch, index): Turn(epoch, index).random(seed).random()
        for seed in (0, 1, 2**32)
        for epoch in range(3)
        for index in range(3)
    }
    assert len(set(values.values())) == len(values)
    assert Turn(1, 2).random(3).random() == Turn(1, 2).random(3).random()
    turned = Turn(0, 0).random(0).permutation(50).tolist()
    assert turned != [turn.index for turn in Order(50, 50, 0).at(0)]


@given(st.integers(1, 12), st.integers(1, 20), st.integers(0, 2**40))
def test_whole_epochs_end_with_a_short_batch(images, batch, seed):
    order = Order(images, batch, seed, whole_epochs=True)
    each = math.ceil(images / batch)
    for epoch in range(3):
        steps = [order.at(step) for step in range(epoch * each, (epoch + 1) * each)]
        assert [len(turns) for turns in steps[:-1]] == [batch] * (each - 1)
        turns = [turn for one in steps for turn in one]
        assert {turn.epoch for turn in turns} == {epoch}
        assert sorted(turn.index for turn in turns) == list(range(images))


@pytest.mark.parametrize(
    ("seed", "expected"), [(0, [5, 3, 0, 1, 2, 4, 7, 6]), (7, [6, 1, 5, 3, 7, 4, 2, 0])]
)
def test_the_same_everywhere(seed, expected):
    """A NumPy that draws otherwise moves every training: then `TRAINER` is to be raised."""
    assert [turn.index for turn in Order(8, 8, seed).at(0)] == expected
