"""Comparing: a claim and what was measured give a verdict. Numbers in, one sentence out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev

from segmodels.claims import Claim
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence
from segmodels.metrics.intervals import around, of_seeds, over, trained_interval
from segmodels.metrics.scores import Score, score
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.equivalence import compare_seeds, sentence
from segmodels.verdicts.gap import rounding_of, status_of_gap
from segmodels.verdicts.obstacles import OF_WEIGHTS, Obstacle
from segmodels.verdicts.rounding import known_interval
from segmodels.verdicts.rules import Rules
from segmodels.verdicts.shortcomings import NO_LABELS, shortcomings
from segmodels.verdicts.verdict import STATUS_OF, Answer, Status, Verdict, each_once

#: What a metric is of a score.
_MEASURED: dict[str, Callable[[Score], float]] = {
    "mIoU": lambda score: score.miou,
    "mAcc": lambda score: score.mean_accuracy,
    "aAcc": lambda score: score.pixel_accuracy,
    "top1": lambda score: score.pixel_accuracy,  # one pixel an image
}


def measured_metric(protocol: Protocol) -> str:
    """What a number of our own is: mIoU, or top-1 where an image has one label."""
    return "top1" if protocol.whole_image else "mIoU"


def blocked(found: Sequence[Obstacle], rules: Rules, trainings: Sequence[str] = ()) -> Verdict:
    """A claim that cannot be checked: all reasons, the most telling first, and what would help.

    Args:
        found: the reasons.
        rules: say what would help.
        trainings: runs that train its weights again, which helps where they are not to be had.

    Raises:
        SegmodelsError: the rules do not know a kind of obstacle.
    """
    order = list(rules.obstacles)
    if unknown := [o.kind for o in found if o.kind not in order]:
        raise SegmodelsError(f"params/verdict.yaml: obstacle {unknown[0]!r} is missing.")
    ranked = sorted(found, key=lambda o: order.index(o.kind))
    reasons = " ".join(dict.fromkeys(o.text for o in ranked))
    help_ = f"To change that: {rules.obstacles[ranked[0].kind].fix}."
    if trainings and any(obstacle.kind in OF_WEIGHTS for obstacle in found):
        help_ += f" Or train them again: {training_command(trainings)}"
    return Verdict("blocked", f"{reasons} {help_}", obstacle=ranked[0].kind)


def training_command(trainings: Sequence[str]) -> str:
    """What trains the first of several runs and counts it; the others are named."""
    first, *others = trainings
    return f"segmodels evaluate {first}" + (f" (also {', '.join(others)})" if others else "")


def judge(
    claim: Claim,
    protocol: Protocol | None,
    answer: Answer | None,
    obstacles: Sequence[Obstacle],
    rules: Rules,
    trainings: Sequence[str] = (),
) -> Verdict:
    """Compare a published mIoU or accuracy with evidence; evidence beats obstacles.

    The same weights are compared as a number, trainings as `segmodels.verdicts.equivalence` says.

    Raises:
        SegmodelsError: the evidence was made under another protocol or on another split.
    """
    command = f"segmodels verify {claim.id}"
    if answer is None or protocol is None:
        if obstacles:
            return blocked(obstacles, rules, trainings)
        if claim.weights is None and trainings:
            again = training_command(trainings)
            return Verdict("unverified", f"Nobody has trained it again yet: {again}")
        return Verdict("unverified", f"Nobody has run it yet: {command}")
    for evidence in answer.evidence:
        _check_match(claim, protocol, evidence)
    seen = measure(protocol, answer, "", command, rules, claim.metric)
    if seen.verified is None:
        return seen
    allowed = rules.tolerance.of(answer.level)
    status: Status
    gap, margin = seen.verified - claim.value, rounding_of(claim) + allowed.points
    if seen.status != "measured":  # stale or partial: the numbers are added, the status stays
        status, reason = seen.status, seen.reason + _inside(claim, seen)
    elif answer.level == "retrained":
        values, confidence = seen.seeds or (seen.verified,), rules.interval.confidence
        found = compare_seeds(values, claim.value, margin, confidence, allowed.seeds)
        status, reason = STATUS_OF[found.side], sentence(found)
        if answer.absent:
            status, reason = "inconclusive", f"{reason} {_selected(answer)}"
    else:
        status, reason = status_of_gap(gap, margin, "points")
    if answer.left_out:
        reason += f" Seeds left out, because they saw other images: {answer.left_out}."
    if twice := len(answer.evidence) - max(1, len(seen.seeds)):
        reason += f" Left out, because weights or counts are those of another seed: {twice}."
    return dataclasses.replace(seen, status=status, reason=reason, gap=gap, tolerance=margin)


def _selected(answer: Answer) -> str:
    """Why some of the seeds decide nothing: nobody knows how the others would have come out."""
    absent = "; ".join(answer.absent)
    return f"Other runs retrain it too and do not count now ({absent}): a selection says nothing."


def judge_cost(
    claim: Claim, counted: float | None, obstacles: Sequence[Obstacle], rules: Rules
) -> Verdict:
    """Compare published parameters or operations with what was counted: rounding alone.

    Args:
        claim: the claim.
        counted: in the claim's unit; None when nobody counted.
        obstacles: why nobody could.
        rules: for the sentence that says what would help.
    """
    if obstacles:
        return blocked(obstacles, rules)
    if counted is None:
        return Verdict("unverified", "Nobody has counted it yet: segmodels efficiency")
    tolerance, gap = rounding_of(claim), counted - claim.value
    status, reason = status_of_gap(gap, tolerance, claim.unit)
    return Verdict(status, reason, counted, gap, None, "counted", tolerance)


def measure(
    protocol: Protocol,
    answer: Answer,
    reason: str,
    command: str,
    rules: Rules,
    metric: str = "mIoU",
) -> Verdict:
    """A number of our own: `measured`, unless the evidence is `stale` or `partial`.

    Args:
        protocol: how counts become a score.
        answer: what was counted.
        reason: why there is nothing to compare with.
        command: what renews the evidence.
        rules: of the interval.
        metric: `mIoU`, which has an interval, `mAcc`, `aAcc` or `top1`, which have none.
    """
    answer = dataclasses.replace(answer, evidence=tuple(each_once(answer.evidence)))
    level = answer.describe()
    values = [_MEASURED[metric](score(evidence, protocol)) for evidence in answer.evidence]
    if any(math.isnan(value) for value in values):
        return Verdict("unverified", NO_LABELS, level=level)
    lacks = (
        lack
        for evidence in answer.evidence
        for lack in shortcomings(evidence, protocol, answer.outdated, command)
    )
    status, why = next(lacks, None) or ("measured", reason)
    found = Verdict(status, why, fmean(values), level=level)
    if len(values) > 1:
        level = f"{level[:-1]}, {fmean(values):.2f} ± {stdev(values):.2f})"
        spread = around(fmean(values), of_seeds(values), rules.interval.confidence)
        found = dataclasses.replace(
            found, level=level, seeds=tuple(values), seed_interval=known_interval(spread)
        )
    if metric != "mIoU":
        return found
    interval = known_interval(trained_interval(answer.evidence, protocol, rules.interval))
    images = over(answer.evidence, rules.interval)
    return dataclasses.replace(found, interval=interval, over=images if interval else "")


def _inside(claim: Claim, seen: Verdict) -> str:
    """What a part of the images says: whether the printed number lies in their interval."""
    if seen.status != "partial" or seen.interval is None:
        return ""
    low, high = seen.interval
    side = "inside" if low <= claim.value <= high else "outside"
    return f" The printed number lies {side} the interval of those images."


def _check_match(claim: Claim, protocol: Protocol, evidence: Evidence) -> None:
    identity = evidence.identity
    pairs = {
        "dataset": (identity.dataset, claim.dataset),
        "split": (identity.split, claim.split),
        "inference": (identity.inference, protocol.inference_fp32),
        "condition": (identity.condition, None),
        "protocol": (protocol.name, claim.protocol),
    }
    for field, (found, wanted) in pairs.items():
        if found != wanted:
            raise SegmodelsError(
                f"evidence {evidence.key} does not answer claim {claim.id!r}: "
                f"its {field} is {found!r}, not {wanted!r}."
            )
