"""Two sides of trainings on the same images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from synthetic import evidence, matrices

from segmodels.evidence import Evidence
from segmodels.metrics.comparison import compare
from segmodels.metrics.intervals import IntervalRule, paired_interval
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

PLAIN, RULE = Protocol(name="plain", version=1, title="plain"), IntervalRule(confidence=0.95)


def trained(right: int, seed: int = 0, **fields) -> Evidence:
    return evidence(matrices(30, right=right, seed=seed), weights=f"{right:064x}", **fields)


def test_one_training_a_side_is_a_paired_interval() -> None:
    one, other = trained(90), trained(60)
    found = compare([(one, ())], [(other, ())], PLAIN, RULE)
    assert found.interval == pytest.approx(paired_interval(one, other, PLAIN, RULE))
    assert found.values == pytest.approx([score(e, PLAIN).miou for e in (one, other)])
    assert (found.seeds, found.over) == ((1, 1), "30 images")


def test_several_trainings_are_compared_by_their_means() -> None:
    ones, others = [trained(right) for right in (85, 90)], [trained(right) for right in (60, 66)]
    found = compare([(e, ()) for e in ones], [(e, ()) for e in others], PLAIN, RULE)
    means = [np.mean([score(e, PLAIN).miou for e in side]) for side in (ones, others)]
    assert found.values == pytest.approx(means)
    low, high = found.interval
    assert low < means[0] - means[1] < high
    assert found.over == "2 and 2 trainings and 30 images"
    single = compare([(ones[0], ())], [(others[0], ())], PLAIN, RULE).interval
    assert high - low > single[1] - single[0]  # two trainings know that they differ


def share_kept(clean: Evidence, disturbed: list[Evidence]) -> float:
    """Share of the clean mIoU that is left, averaged: the definition, without NumPy."""
    intact = score(clean, PLAIN).miou
    return sum(score(one, PLAIN).miou / intact for one in disturbed) / len(disturbed)


def test_the_share_kept_is_compared() -> None:
    noise = {"parameter_noise": 0.1, "seed": 0}
    sides = [
        [(trained(right), [trained(right - 8 * k, seed=k, condition=noise) for k in (1, 2)])]
        for right in (90, 60)
    ]
    found = compare(sides[0], sides[1], PLAIN, RULE)
    assert found.values == pytest.approx([100 * share_kept(*side[0]) for side in sides])
    assert found.interval[0] < found.values[0] - found.values[1] < found.interval[1]


def test_a_clean_score_of_zero_keeps_nothing_without_a_warning() -> None:
    wrong = np.zeros((30, 4, 4), np.int64)
    wrong[:, 0, 1] = 50
    lost = (evidence(wrong), [evidence(wrong)])
    found = compare([lost], [(trained(60), [trained(50)])], PLAIN, RULE)
    assert math.isnan(found.values[0])
    assert all(map(math.isnan, found.interval))


def test_two_recipes_that_are_one_seldom_differ() -> None:
    """Seeds and images together: 5 % are promised, of two trainings a side on few images."""
    random = np.random.RandomState(0)
    wrong = alone = 0
    rounds = 200
    for _ in range(rounds):
        hard = random.randint(0, 200, 12)  # the same images for everybody
        runs = [_training(hard, random) for _ in range(4)]
        low, high = compare(runs[:2], runs[2:], PLAIN, RULE).interval
        wrong += low > 0 or high < 0
        low, high = compare(runs[:1], runs[2:3], PLAIN, RULE).interval
        alone += low > 0 or high < 0
    assert wrong <= 0.08 * rounds
    assert alone > 0.3 * rounds  # a single training a side tells them apart, and is no architecture


def _training(hard: np.ndarray, random: np.random.RandomState) -> tuple[Evidence, tuple[()]]:
    """A network with luck of its own, which shows on every image."""
    counts = matrices(12, right=100, seed=random.randint(2**31))
    counts[:, 0, 1] += hard
    for c in range(3):
        counts[:, c, c] += random.randint(-20, 20)
    return evidence(counts, weights=f"{random.randint(2**31):064x}"), ()
