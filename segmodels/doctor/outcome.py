"""What two pieces of evidence say in numbers: mIoU, paired interval, classes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from segmodels.doctor.moves import class_changes, paired, shared
from segmodels.doctor.sides import Side, protocols
from segmodels.evidence import Evidence
from segmodels.intervals import IntervalRule, over
from segmodels.protocols import Protocol
from segmodels.scores import score


def numbers(a: Side, b: Side, rule: IntervalRule) -> list[str]:
    """What the counts of both say, for people: mIoU, paired interval, classes.

    Args:
        a, b: the two sides, each scored by its own protocol (see `protocols`).
        rule: of the paired interval.
    """
    one, other = protocols(a, b)
    values = [score(side.evidence, p).miou for side, p in ((a, one), (b, other))]
    how = f"scored as {one.name} and {other.name}" if one != other else f"scored as {one.name}"
    change = values[1] - values[0]
    told = [f"mIoU {values[0]:.2f} in A, {values[1]:.2f} in B: {change:+.2f} points ({how})"]
    if a.evidence.classes != b.evidence.classes:
        return [*told, "other classes: two numbers that cannot be compared"]
    return told + list(_paired(a.evidence, b.evidence, one, rule))


def _paired(a: Evidence, b: Evidence, protocol: Protocol, rule: IntervalRule) -> Iterator[str]:
    common = shared(a, b)
    interval = paired(*common, protocol, rule)
    number = len(common[0].images)
    if interval is None:
        yield "no paired interval: the two did not see the same images"
        return
    before, after = (score(one, protocol).miou for one in common)
    units = over(common[:1], rule)
    told = f"paired {rule.confidence:.0%} interval {interval[0]:+.2f} to {interval[1]:+.2f}"
    yield (
        f"on the {number} images of both, scored as {protocol.name}: {after - before:+.2f} points, "
        + (f"no interval over {units}" if math.isnan(interval[0]) else f"{told} over {units}")
    )
    gaining, losing = class_changes(*common, protocol)
    if gaining or losing:
        yield f"classes that gain: {', '.join(gaining) or 'none'}"
        yield f"classes that lose: {', '.join(losing) or 'none'}"
