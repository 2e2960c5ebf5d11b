"""Effect of a cheaper arithmetic on a number, measured on the same images and recorded.

Evidence counted in bfloat16 carries an *effect*: the key of the evidence that differs from it
in precision alone, the scores of both with a paired interval of their difference, and a lower
bound of the labels that changed. It is computed from the two pieces of evidence, so anybody
can compute it again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from segmodels.assets.groups import Grouping
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, Identity
from segmodels.metrics.intervals import METHOD, IntervalRule, paired_interval
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

#: Half a unit of the fourth decimal on either side, and a little for the last bit.
_ROUNDING = 1.01e-4
_NUMBERS = ("fp32", "reduced", "difference")


def full_precision(identity: Identity) -> Identity:
    """The identity of the same evaluation in fp32, which defines the number."""
    return dataclasses.replace(identity, precision="fp32")


def measure_effect(
    reduced: Evidence, full: Evidence, protocols: Iterable[Protocol], rule: IntervalRule
) -> dict[str, Any]:
    """The difference that the cheaper arithmetic makes, as it is recorded in its evidence.

    Args:
        reduced: counted in less than fp32.
        full: the same evaluation in fp32.
        protocols: how counts become scores; equal scoring halves are listed once.
        rule: of the paired interval.

    Returns:
        JSON-able: `against` (key of `full`), `moved` (share of pixels, 0..1), `interval` (how
        intervals were made, and which images were left out together), and `scores`, one entry
        per scoring: mIoU of both in percent, their difference (reduced minus fp32) and its
        interval in percentage points, four decimals.

    Raises:
        SegmodelsError: the two differ in more than precision, or saw other images.
    """
    _check_pair(reduced, full)
    asked = {repr(protocol.scoring): protocol for protocol in protocols}
    return {
        "against": full.key,
        "moved": round(changed_share(reduced, full), 8),
        "interval": _interval_fields(rule, reduced.identity.dataset),
        "scores": [_compared(reduced, full, protocol, rule) for protocol in asked.values()],
    }


def changed_share(a: Evidence, b: Evidence) -> float:
    """Share of pixels (0..1) that got another label at least, from differences of the counts.

    Within an image, labels that change in opposite directions leave the counts as they are,
    so more than this can have changed, and never less.
    """
    differing = total = 0
    for one, other in zip(a.images, b.images, strict=True):
        before, after = (dict(zip(i.cells, i.counts, strict=True)) for i in (one, other))
        total += sum(one.counts)
        differing += sum(
            abs(before.get(cell, 0) - after.get(cell, 0)) for cell in before.keys() | after
        )
    return differing / 2 / total if total else 0.0


def interval_is_current(evidence: Evidence) -> bool:
    """Whether the intervals of the effect on record were made as they are made now.

    Those of an earlier method cannot be made again; `segmodels evidence effect` renews them.
    """
    return ((evidence.effect or {}).get("interval") or {}).get("method") == METHOD


def check_effect(reduced: Evidence, full: Evidence) -> None:
    """Compute the effect again and compare it with the one on record.

    Intervals are compared where they were made by the present method (`interval_is_current`).

    Raises:
        SegmodelsError: there is none, it is broken, or it differs from the counts.
    """
    recorded = reduced.effect
    if recorded is None:
        raise SegmodelsError(f"evidence {reduced.key} in {_kind(reduced)} carries no effect.")
    _check_pair(reduced, full)
    try:
        rule = _rule_of(recorded.get("interval"), reduced.identity.dataset)
        found = measure_effect(reduced, full, _protocols_of(recorded), rule)
        same = _same(recorded, found, interval_is_current(reduced))
    except (KeyError, TypeError, ValueError, SegmodelsError) as error:
        problem = f"field 'effect' is broken ({error!r})."
        raise SegmodelsError(f"evidence {reduced.key}: {problem}") from None
    if not same:
        raise SegmodelsError(
            f"evidence {reduced.key}: field 'effect' says {recorded}, but the counts give {found}."
        )


def renewed(reduced: Evidence, full: Evidence, rule: IntervalRule) -> Evidence:
    """The same evidence with its effect measured again, under the scorings on record.

    Raises:
        SegmodelsError: there is none, or it is broken.
    """
    try:
        protocols = _protocols_of(reduced.effect or {})
    except (KeyError, TypeError, ValueError, SegmodelsError) as error:
        problem = f"no effect that could be measured again ({error!r})."
        raise SegmodelsError(f"evidence {reduced.key}: {problem}") from None
    return dataclasses.replace(reduced, effect=measure_effect(reduced, full, protocols, rule))


def _protocols_of(effect: Mapping[str, Any]) -> list[Protocol]:
    return [
        Protocol(name="recorded", version=1, title="recorded", **entry["scoring"])
        for entry in effect["scores"]
    ]


def effect_under(evidence: Evidence, protocol: Protocol) -> Mapping[str, Any] | None:
    """The recorded comparison under a protocol's scoring; None when it was not measured."""
    entries = evidence.effect["scores"] if evidence.effect else ()
    return next((entry for entry in entries if entry["scoring"] == protocol.scoring), None)


def effect_sentence(evidence: Evidence, entry: Mapping[str, Any] | None) -> str:
    """One entry of the recorded scores for people; empty when nothing was measured."""
    if entry is None or evidence.effect is None or entry["difference"] is None:
        return ""
    low, high = entry["interval"] if interval_is_current(evidence) else (None, None)
    paired = "" if low is None else f" (paired interval {low:+.2f} to {high:+.2f})"
    return (
        f"Counted in {_kind(evidence)}, which moved it by {entry['difference']:+.2f} points "
        f"against fp32{paired} and changed at least {evidence.effect['moved']:.2%} of the labels."
    )


def _compared(
    reduced: Evidence, full: Evidence, protocol: Protocol, rule: IntervalRule
) -> dict[str, Any]:
    below, above = (score(one, protocol).miou for one in (reduced, full))
    interval = paired_interval(reduced, full, protocol, rule)
    return {
        "scoring": protocol.scoring,
        "fp32": _rounded(above),
        "reduced": _rounded(below),
        "difference": _rounded(below - above),
        "interval": [_rounded(end) for end in interval],
    }


def _interval_fields(rule: IntervalRule, dataset: str) -> dict[str, Any]:
    groups = rule.groups.get(dataset)
    fields = dict(vars(groups)) if groups else None
    return {"method": METHOD, "confidence": rule.confidence, "groups": fields}


def _rule_of(recorded: Mapping[str, Any] | None, dataset: str) -> IntervalRule:
    """The rule on record; any will do where no interval is compared."""
    if recorded is None or recorded["method"] != METHOD:
        return IntervalRule(confidence=0.95)
    groups = {dataset: Grouping(**recorded["groups"])} if recorded["groups"] else {}
    return IntervalRule(confidence=recorded["confidence"], groups=groups)


def _check_pair(reduced: Evidence, full: Evidence) -> None:
    same = full_precision(reduced.identity) == full.identity
    if not same or reduced.identity.precision == "fp32":
        raise SegmodelsError(
            f"evidence {reduced.key} ({_kind(reduced)}) and {full.key} ({_kind(full)}) are not "
            f"one evaluation in a cheaper arithmetic and in fp32."
        )
    for evidence in (reduced, full):
        if evidence.shard is not None:
            raise SegmodelsError(f"evidence {evidence.key} is a shard; merge its shards first.")


def _kind(evidence: Evidence) -> str:
    return evidence.identity.precision


def _same(recorded: Mapping[str, Any], found: Mapping[str, Any], intervals: bool) -> bool:
    pairs = [(recorded["moved"], found["moved"], 1.01e-8)]
    for one, other in zip(recorded["scores"], found["scores"], strict=True):
        pairs += [(one[name], other[name], _ROUNDING) for name in _NUMBERS]
        ends = zip(one["interval"], other["interval"], strict=True)
        pairs += [(*pair, _ROUNDING) for pair in ends if intervals]
    return recorded["against"] == found["against"] and all(_near(*pair) for pair in pairs)


def _near(one: float | None, other: float | None, by: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= by


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
