from __future__ import annotations

import pytest

from segmodels.metrics.comparable import Comparable, Measured, comparable
from segmodels.metrics.degradation import degradations
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")
SAME = Protocol(name="same", version=1, title="plain under another name")
STRICT = Protocol(name="strict", version=1, title="void is an error", void="error")


def robustness(clean: float = 80.0, **curves: dict[int, float]) -> Robustness:
    found = [
        Curve("corruption", name, tuple(CurvePoint(*one, one[1] / clean) for one in levels.items()))
        for name, levels in curves.items()
    ]
    return Robustness(clean, None, None, (*found, Curve("parameter_noise", "parameter_noise", ())))


def of(protocol: Protocol = PLAIN, **curves: dict[int, float]) -> list[Measured]:
    return [Measured(protocol, robustness(**curves))]


def means(group: Comparable) -> dict[str, float]:
    return {name: degradations(one, None)[-1].miou for name, one in group.networks.items()}


def test_networks_under_more_are_compared_under_what_the_reference_has() -> None:
    measured = {"more": of(fog={1: 60, 5: 10}, snow={1: 90}), "asked": of(fog={1: 50})}
    (group,) = comparable("asked", measured)
    assert means(group) == {"asked": 50, "more": 60}
    assert group.conditions == {("fog", 1)}
    assert group.reference == measured["asked"][0].robustness


def test_networks_under_less_stand_apart_beside_the_same_part_of_the_reference() -> None:
    measured = {
        "asked": of(fog={1: 50, 5: 10}),
        "less": of(fog={1: 60}),
        "all": of(fog={1: 40, 5: 20}),
        "other": of(snow={1: 70}),
    }
    same, *others = comparable("asked", measured)
    assert means(same) == {"asked": 30, "all": 30}
    less, other = sorted(others, key=lambda group: [*group.networks])
    assert means(less) == {"less": 60}
    assert degradations(less.networks["less"], less.reference)[-1].cd == pytest.approx(80)
    assert means(other) == {"other": 70}  # of nothing that the reference went through
    assert other.reference is None


def test_each_protocol_has_a_group_and_its_own_numbers_of_the_reference() -> None:
    measured = {
        "asked": [*of(fog={1: 50}), *of(STRICT, fog={1: 40})],
        "strict": of(STRICT, fog={1: 70}),
        "both": [*of(STRICT, fog={1: 20}), *of(SAME, fog={1: 30})],
    }
    plain, strict = comparable("asked", measured)
    assert (plain.protocol, strict.protocol) == (PLAIN, STRICT)
    assert means(plain) == {"asked": 50, "both": 30}
    assert means(strict) == {"strict": 70}
    assert strict.reference == measured["asked"][1].robustness

    first, *others = comparable("strict", measured)
    assert (first.protocol, others) == (STRICT, [])
    assert means(first) == {"strict": 70, "asked": 40, "both": 20}

    measured["asked"] = measured["asked"][:1]
    apart = comparable("asked", measured)[1]
    assert apart.reference is None
    (_, mean) = degradations(apart.networks["strict"], apart.reference)
    assert (mean.cd, mean.rcd, mean.kept) == (None, None, pytest.approx(70 / 80))
