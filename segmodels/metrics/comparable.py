"""Networks that can be compared: counted under the same corruptions, by the same protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from segmodels.metrics.robustness import Curve, Robustness
from segmodels.protocols.protocol import Protocol

#: Disturbances of a kind with their strengths; seeds of one are averaged.
Conditions = frozenset[tuple[str, float]]

_KIND = "corruption"


@dataclass(frozen=True)
class Measured:
    """What was measured of a network by one protocol."""

    protocol: Protocol
    robustness: Robustness


@dataclass(frozen=True)
class Comparable:
    """Networks in one table.

    Attributes:
        protocol: by which all were counted.
        conditions: under which all were; what was counted besides is left out.
        networks: by name, at least one.
        reference: with whose errors they are compared, by this protocol; None where it was not
            counted under all of that.
    """

    protocol: Protocol
    conditions: Conditions
    networks: dict[str, Robustness]
    reference: Robustness | None


def by_protocol(
    reference: str, measured: Mapping[str, Sequence[Measured]]
) -> list[dict[str, Measured]]:
    """Networks in groups of equal protocols, that of the reference first.

    Each network stands once: by the protocol of the reference if it was counted so, else by its
    own first.
    """
    asked, groups = measured[reference][0].protocol, dict[str, dict[str, Measured]]()
    for name in (reference, *(one for one in sorted(measured) if one != reference)):
        found = _by(asked, measured[name]) or measured[name][0]
        groups.setdefault(found.protocol.digest, {})[name] = found
    first, *others = groups.values()
    return [first, *sorted(others, key=lambda one: next(iter(one.values())).protocol.name)]


def comparable(reference: str, measured: Mapping[str, Sequence[Measured]]) -> list[Comparable]:
    """Networks in groups that can be compared, that of the reference first.

    Each network stands once (see `by_protocol`): under the conditions of the reference, as far as
    it has them, else under its own.

    Args:
        reference: name of the network whose first protocol and whose conditions are asked for.
        measured: networks by name, each by one protocol at least; a protocol under other names is
            the same.
    """
    wanted = conditions(measured[reference][0].robustness)
    groups = dict[tuple[str, Conditions], Comparable]()
    for name, found in chain(*(one.items() for one in by_protocol(reference, measured))):
        own = conditions(found.robustness)
        key = found.protocol.digest, own & wanted or own
        if key not in groups:
            theirs = _by(found.protocol, measured[reference])
            known = theirs and key[1] <= conditions(theirs.robustness)
            against = theirs.robustness if theirs and known else None
            groups[key] = Comparable(found.protocol, key[1], {}, against)
        groups[key].networks[name] = _under(key[1], found.robustness)
    first, *others = groups.values()
    return [first, *sorted(others, key=lambda one: (one.protocol.name, -len(one.conditions)))]


def _by(protocol: Protocol, measured: Sequence[Measured]) -> Measured | None:
    return next((one for one in measured if one.protocol.digest == protocol.digest), None)


def _corruptions(robustness: Robustness) -> list[Curve]:
    return [curve for curve in robustness.curves if curve.kind == _KIND]


def conditions(
    robustness: Robustness, kind: str = _KIND, among: Collection[str] | None = None
) -> Conditions:
    """What a network was measured under, of a kind and, if they are given, of these names."""
    return frozenset(
        (curve.name, point.level)
        for curve in robustness.curves
        if curve.kind == kind and (among is None or curve.name in among)
        for point in curve.points
    )


def _under(conditions: Conditions, robustness: Robustness) -> Robustness:
    """Its corruptions, at these severities alone."""
    curves = []
    for curve in _corruptions(robustness):
        points = tuple(one for one in curve.points if (curve.name, one.level) in conditions)
        curves += [dataclasses.replace(curve, points=points)] if points else []
    return dataclasses.replace(robustness, curves=tuple(curves))
