"""Judging: a claim and its evidence give a verdict. Integers in, one sentence out, no torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segmodels.claims import Claim
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence
from segmodels.files import read_yaml, take_fields
from segmodels.protocols import Protocol
from segmodels.scores import Bootstrap, Interval, Score, bootstrap_interval, score
from segmodels.settings import project_root
from segmodels.versions import EVALUATOR

__all__ = [
    "STATUSES",
    "Bootstrap",
    "Interval",
    "Score",
    "Status",
    "Verdict",
    "VerdictSettings",
    "bootstrap_interval",
    "judge",
    "load_verdict_settings",
    "measure",
    "score",
]

Status = Literal[
    "verified", "better", "below", "partial", "stale", "unverified", "blocked", "measured"
]

#: All verdicts with what they mean; the order is that of the leaderboard's counters.
STATUSES: dict[Status, str] = {
    "verified": "the measured number equals the printed one within the tolerance",
    "better": "the measured number is above the printed one by more than the tolerance",
    "below": "the measured number is below the printed one by more than the tolerance",
    "partial": "only some images of the split were evaluated",
    "stale": "the evidence was counted by another version of the evaluator",
    "unverified": "everything needed can be had, but nobody has run it yet",
    "blocked": "the weights or the images cannot be fetched by everybody",
    "measured": "a number of our own that no paper prints under this protocol",
}


@dataclass(frozen=True)
class VerdictSettings:
    """`params/verdict.yaml`.

    Attributes:
        version: raised when a rule changes.
        released: tolerance for released weights, percentage points.
        retrained: tolerance for weights trained here, percentage points.
        bootstrap: how the interval is drawn.
    """

    version: int
    released: float
    retrained: float
    bootstrap: Bootstrap


@dataclass(frozen=True)
class Verdict:
    """The answer to "does the published number hold?".

    Attributes:
        status: one of `STATUSES`.
        verified: the measured number, percent; None without evidence.
        gap: verified minus claimed, percentage points; None when either is missing.
        interval: bootstrap interval over images, percent; None without evidence.
        reason: one sentence for people.
        level: `released weights` or `retrained (1 seed)`; None without evidence.
        tolerance: allowed |gap|, percentage points; None when nothing was compared.
    """

    status: Status
    reason: str
    verified: float | None = None
    gap: float | None = None
    interval: Interval | None = None
    level: str | None = None
    tolerance: float | None = None


def load_verdict_settings(path: Path | None = None) -> VerdictSettings:
    """Read `params/verdict.yaml`.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "verdict.yaml"
    groups: dict[str, type] = {"version": int, "tolerance": dict, "bootstrap": dict}
    top = take_fields(str(path), read_yaml(path), groups, {})
    fields: dict[str, type] = {"released": float, "retrained": float}
    tolerance = take_fields(f"{path}, tolerance", top["tolerance"], fields, {})
    fields = {"resamples": int, "confidence": float}
    drawing = take_fields(f"{path}, bootstrap", top["bootstrap"], fields, {})
    if min(tolerance.values()) < 0:
        raise SegmodelsError(f"{path}: a tolerance cannot be negative.")
    if drawing["resamples"] < 1 or not 0 < drawing["confidence"] < 1:
        raise SegmodelsError(f"{path}: 'resamples' is at least 1, 'confidence' between 0 and 1.")
    return VerdictSettings(top["version"], **tolerance, bootstrap=Bootstrap(**drawing))


def judge(
    claim: Claim,
    protocol: Protocol,
    evidence: Evidence | None,
    blocked_reason: str | None,
    settings: VerdictSettings,
) -> Verdict:
    """Compare a published number with evidence; evidence beats `blocked_reason`.

    Raises:
        SegmodelsError: the evidence was made under another protocol or on another split.
    """
    command = f"segmodels verify {claim.id}"
    if claim.metric != "mIoU":
        return Verdict("unverified", f"{claim.metric} is not measured yet, only mIoU is.")
    if evidence is None and blocked_reason:
        return Verdict("blocked", blocked_reason)
    if evidence is None:
        return Verdict("unverified", f"Nobody has run it yet: {command}")
    _check_match(claim, protocol, evidence)
    seen = measure(protocol, evidence, "", command, settings)
    if seen.verified is None:
        return seen
    tolerance = _tolerance(claim, evidence, settings)
    gap = seen.verified - claim.value
    status, reason = _compare(gap, tolerance)
    if seen.status != "measured":  # stale or partial: the numbers are shown, the word stays
        status, reason = seen.status, seen.reason
    return dataclasses.replace(seen, status=status, reason=reason, gap=gap, tolerance=tolerance)


def measure(
    protocol: Protocol, evidence: Evidence, reason: str, command: str, settings: VerdictSettings
) -> Verdict:
    """A number of our own: `measured`, unless the evidence is `stale` or `partial`.

    Args:
        protocol: how counts become a score.
        evidence: what was counted.
        reason: why there is nothing to compare with.
        command: what renews the evidence.
        settings: of the bootstrap.
    """
    level, miou = _level(evidence), score(evidence, protocol).miou
    if math.isnan(miou):
        return Verdict("unverified", "The evidence holds no labelled pixel.", level=level)
    status, why = _state(evidence, command) or ("measured", reason)
    interval = bootstrap_interval(evidence, protocol, settings.bootstrap)
    return Verdict(status, why, verified=miou, interval=interval, level=level)


def _state(evidence: Evidence, command: str) -> tuple[Status, str] | None:
    counted = evidence.identity.evaluator
    if counted != EVALUATOR:
        return "stale", f"Counted by evaluator {counted}, now it is {EVALUATOR}: {command}"
    if not evidence.complete:
        seen = f"{len(evidence.images)} of {evidence.expected_images}"
        return "partial", f"Only {seen} images were evaluated: {command}"
    return None


def _level(evidence: Evidence) -> str:
    return "retrained (1 seed)" if "trained" in evidence.weights_origin else "released weights"


def _tolerance(claim: Claim, evidence: Evidence, settings: VerdictSettings) -> float:
    trained = "trained" in evidence.weights_origin
    allowed = settings.retrained if trained else settings.released
    return allowed + 0.5 * 10.0**-claim.decimals


def _compare(gap: float, tolerance: float) -> tuple[Status, str]:
    if abs(gap) <= tolerance + 1e-9:  # 52.9 - 52.8 is a little more than 0.1 in binary
        return "verified", f"Within {tolerance:.3g} points of the printed number."
    status: Status = "better" if gap > 0 else "below"
    side = "above" if gap > 0 else "below"
    return (
        status,
        f"{abs(gap):.2f} points {side} the printed number; {tolerance:.3g} are tolerated.",
    )


def _check_match(claim: Claim, protocol: Protocol, evidence: Evidence) -> None:
    identity = evidence.identity
    pairs = {
        "dataset": (identity.dataset, claim.dataset),
        "split": (identity.split, claim.split),
        "inference": (identity.inference, protocol.inference),
        "condition": (identity.condition, None),
        "protocol": (protocol.name, claim.protocol),
    }
    for field, (found, wanted) in pairs.items():
        if found != wanted:
            raise SegmodelsError(
                f"evidence {evidence.key} does not answer claim {claim.id!r}: "
                f"its {field} is {found!r}, not {wanted!r}."
            )
