"""Networks in order, with the ranks that the images allow."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import synthetic

from segmodels.evidence import Evidence
from segmodels.metrics.intervals import IntervalRule, mean_interval, paired_interval
from segmodels.metrics.ranking import Corrupted, over_corruptions, ranking
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")
RULE = IntervalRule(confidence=0.95)
IMAGES = 12


def fog(right: int, severity: int = 1, name: str = "fog", spread: int = 0) -> Evidence:
    """Of each image so many pixels right, and more or fewer from image to image."""
    counted = synthetic.matrices(IMAGES, right=right)
    for place in range(IMAGES):
        shift = spread * (1 if place % 2 else -1)
        counted[place, 0, 0] += shift
        counted[place, 0, 1] -= shift
    return synthetic.evidence(
        counted, condition={"corruption": name, "severity": severity, "seed": 0}
    )


def network(*copies: Evidence) -> Corrupted:
    found = over_corruptions(copies, PLAIN, RULE)
    assert found is not None
    return found


def test_every_corruption_counts_the_same_whatever_its_severities() -> None:
    copies = [fog(30), fog(40, 2), fog(60, name="snow")]
    mious = [score(one, PLAIN).miou for one in copies]
    found = network(*copies)
    assert found.whole == pytest.approx(((mious[0] + mious[1]) / 2 + mious[2]) / 2)
    assert found.without.shape == (IMAGES,)
    alone = ranking({"one": network(fog(30, spread=5))}, RULE)["one"]
    assert alone.interval == pytest.approx(mean_interval([fog(30, spread=5)], PLAIN, RULE))
    assert alone.ranks == (1, 1)


def test_ranks_are_certain_where_all_differences_are() -> None:
    """Two that differ by less than their images do, and one far above; paired, not by overlap."""
    near = fog(30, spread=5), fog(30, spread=-5)
    low, high = paired_interval(*near, PLAIN, RULE)
    assert low < 0 < high
    found = ranking({"a": network(near[0]), "b": network(near[1]), "far": network(fog(80))}, RULE)
    assert next(iter(found)) == "far"
    assert {name: one.ranks for name, one in found.items()} == {
        "far": (1, 1),
        "a": (2, 3),
        "b": (2, 3),
    }
    # Images that are hard for both cancel: intervals of their own overlap, and yet the order holds.
    pair = network(fog(30, spread=9)), network(fog(32, spread=9))
    paired = ranking({"a": pair[0], "b": pair[1]}, RULE)
    assert paired["a"].interval[1] > paired["b"].interval[0]
    assert {name: one.ranks for name, one in paired.items()} == {"b": (1, 1), "a": (2, 2)}


def test_what_cannot_be_compared_is_left_out() -> None:
    other = fog(30)
    other = dataclasses.replace(other, images=other.images[:-1])
    assert list(ranking({"one": network(fog(30)), "few": network(other)}, RULE)) == ["one"]
    assert over_corruptions([fog(30), other], PLAIN, RULE) is None
    assert ranking({}, RULE) == {}
    single = synthetic.evidence(
        synthetic.matrices(1, right=30), condition={"corruption": "fog", "severity": 1, "seed": 0}
    )
    alone = {"a": network(single), "b": network(single)}
    found = ranking(alone, RULE)
    assert np.isnan(found["a"].interval).all()
    assert [one.ranks for one in found.values()] == [(1, 2), (1, 2)]
    assert not math.isnan(found["a"].miou)
