"""Networks in the order of their mIoU under corruptions, with the ranks that the images allow.

Two networks on the same images are compared by the interval of their difference, so that images
which are hard for everybody cancel. What these intervals say together decides which ranks are left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from segmodels.core.arrays import Floats
from segmodels.evidence import Evidence
from segmodels.metrics.intervals import (
    Interval,
    IntervalRule,
    LeftOut,
    around,
    leave_out,
    same_units,
    spread_of,
)
from segmodels.protocols.protocol import Protocol


@dataclass(frozen=True)
class Ranked:
    """A network among others.

    Attributes:
        miou: mean over corruptions, each of them the mean over its severities, percent.
        interval: of it over images, percent; NaN where it is not known.
        ranks: the best and the worst rank that it may have on other images.
    """

    miou: float
    interval: Interval
    ranks: tuple[int, int]


@dataclass(frozen=True)
class Corrupted:
    """The mean mIoU of a network over corruptions, percent.

    Attributes:
        whole: of all images.
        without: (units,), without each unit of them.
        evidence: one piece of what was averaged.
        joined: blocks that its units were made of besides its own.
    """

    whole: float
    without: Floats
    evidence: Evidence
    joined: Collection[Sequence[int]] = ()


def over_corruptions(
    copies: Iterable[Evidence],
    protocol: Protocol,
    rule: IntervalRule,
    joined: Collection[Sequence[int]] = (),
) -> Corrupted | None:
    """The mean over corruptions, and without each unit of images; None where images differ.

    Every corruption counts the same, so does every severity of it, and every seed of that.

    Args:
        copies: corrupted evidence of one network with its images, at least one piece; it is read
            one after the other, so that an iterator holds one at a time.
        protocol, rule, joined: as for `leave_out`; with the blocks of all networks that are
            compared, units are the same for all of them.
    """
    first: Evidence | None = None
    found: dict[str, dict[int, list[LeftOut]]] = defaultdict(lambda: defaultdict(list))
    for evidence in copies:
        first = first or evidence
        if not same_units(first, evidence, rule, joined):
            return None
        condition = evidence.identity.condition or {}
        name, severity = condition["corruption"], condition["severity"]
        found[name][severity].append(leave_out([evidence], protocol, rule, joined))
    assert first is not None
    whole = _mean(found, lambda left: left.whole)
    return Corrupted(float(whole[0]), _mean(found, lambda left: left.without[:, 0]), first, joined)


def ranking(networks: Mapping[str, Corrupted], rule: IntervalRule) -> dict[str, Ranked]:
    """Networks on the same images by name, the highest mIoU first.

    Args:
        networks: under the same corruptions; those on other images than the first are left out.
        rule: what intervals are to hold; those of the differences hold together.
    """
    first = next(iter(networks.values()), None)
    alike = {
        name: one
        for name, one in networks.items()
        if first and same_units(first.evidence, one.evidence, rule, one.joined)
    }
    above, below = _certain(alike, rule.confidence)
    order = sorted(alike, key=lambda name: -alike[name].whole)
    return {
        name: Ranked(
            alike[name].whole,
            _interval([alike[name]], rule.confidence),
            (1 + above[name], len(alike) - below[name]),
        )
        for name in order
    }


def _certain(
    networks: Mapping[str, Corrupted], confidence: float
) -> tuple[dict[str, int], dict[str, int]]:
    """How many of the others are certainly better than each, and how many certainly worse."""
    above, below = dict.fromkeys(networks, 0), dict.fromkeys(networks, 0)
    pairs = list(combinations(networks, 2))
    each = 1 - (1 - confidence) / max(1, len(pairs))
    for one, other in pairs:
        low, high = _interval([networks[one], networks[other]], each)
        if low > 0 or high < 0:
            better, worse = (one, other) if low > 0 else (other, one)
            above[worse] += 1
            below[better] += 1
    return above, below


def _interval(networks: list[Corrupted], confidence: float) -> Interval:
    """Of the mIoU of one, or of the first minus that of the second."""
    left = LeftOut(
        np.array([one.whole for one in networks]),
        np.stack([one.without for one in networks], axis=1),
    )
    signs = np.array([1.0, -1.0])[: len(networks)]
    value, spread = spread_of(left, lambda miou: np.asarray(miou @ signs))
    return around(value, spread, confidence)


def _mean(
    found: Mapping[str, Mapping[int, list[LeftOut]]], of: Callable[[LeftOut], Floats]
) -> Floats:
    """Mean over corruptions of means over severities of means over seeds."""

    def mean(values: Iterable[Floats]) -> Floats:
        return np.asarray(np.mean(list(values), axis=0))

    return mean(
        mean(mean(map(of, seeds)) for seeds in levels.values()) for levels in found.values()
    )
