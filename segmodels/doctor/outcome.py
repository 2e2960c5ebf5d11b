"""What two pieces of evidence say in numbers: mIoU, paired interval, classes."""

from __future__ import annotations

from collections.abc import Iterator

from segmodels.doctor.moves import class_changes, paired, shared
from segmodels.doctor.sides import Side, protocols
from segmodels.evidence import Evidence
from segmodels.protocols import Protocol
from segmodels.scores import Bootstrap, score


def numbers(a: Side, b: Side, settings: Bootstrap) -> list[str]:
    """What the counts of both say, for people: mIoU, paired interval, classes.

    Args:
        a, b: the two sides, each scored by its own protocol (see `protocols`).
        settings: of the paired bootstrap.
    """
    one, other = protocols(a, b)
    values = [score(side.evidence, p).miou for side, p in ((a, one), (b, other))]
    how = f"scored as {one.name} and {other.name}" if one != other else f"scored as {one.name}"
    change = values[1] - values[0]
    told = [f"mIoU {values[0]:.2f} in A, {values[1]:.2f} in B: {change:+.2f} points ({how})"]
    if a.evidence.classes != b.evidence.classes:
        return [*told, "other classes: two numbers that cannot be compared"]
    return told + list(_paired(a.evidence, b.evidence, one, settings))


def _paired(a: Evidence, b: Evidence, protocol: Protocol, settings: Bootstrap) -> Iterator[str]:
    common = shared(a, b)
    interval = paired(*common, protocol, settings)
    number = len(common[0].images)
    if interval is None:
        yield "no paired interval: the two did not see the same images"
        return
    before, after = (score(one, protocol).miou for one in common)
    yield (
        f"on the {number} images of both, scored as {protocol.name}: {after - before:+.2f} points, "
        f"paired {settings.confidence:.0%} interval {interval[0]:+.2f} to {interval[1]:+.2f}"
    )
    gaining, losing = class_changes(*common, protocol)
    if gaining or losing:
        yield f"classes that gain: {', '.join(gaining) or 'none'}"
        yield f"classes that lose: {', '.join(losing) or 'none'}"
