"""Comparing a published mean over the severities of one corruption, or a number under noise on the
parameters, with evidence of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from segmodels.claims import Claim
from segmodels.evidence import Evidence
from segmodels.metrics.intervals import mean_interval, over_images
from segmodels.metrics.scores import comparable, score
from segmodels.metrics.severities import BySeverity, by_severity, of_noise
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.compare import judge
from segmodels.verdicts.gap import rounding_of, status_of_gap
from segmodels.verdicts.obstacles import OTHER_NETWORK, Obstacle
from segmodels.verdicts.rounding import known_interval
from segmodels.verdicts.rules import Rules
from segmodels.verdicts.shortcomings import NO_LABELS, shortcomings
from segmodels.verdicts.verdict import LEVELS, Status, Verdict

#: What keeps a number under noise from being called wrong.
_OPEN = (
    "Which parameters were disturbed, and whether in proportion to their size, nobody says; here "
    "all of them, absolutely."
)


def judge_corrupted(
    claim: Claim,
    protocol: Protocol,
    copies: Sequence[Evidence],
    obstacles: Sequence[Obstacle],
    rules: Rules,
) -> Verdict:
    """Compare a published number of a disturbed network or dataset with evidence of each severity.

    Args:
        claim: of metric `mIoU-c`, a mean over the severities that the rules list for its
            corruption, or of `mIoU-n`, at one level of noise on all parameters.
        protocol: how counts become a score.
        copies: disturbed evidence of the claim's weights, image by image; several seeds of one
            severity are averaged. The interval of the mean leaves out the same images under each.
        obstacles: why there may be none.
        rules: of the tolerance and the interval.
    """
    if claim.noise is None:
        wanted = rules.corruptions.of(claim.corruption)
        found = by_severity(copies, claim.corruption, wanted)
    else:
        wanted, found = (1,), of_noise(copies, claim.noise)
    used = [evidence for seeds in found.values() for evidence in seeds]
    if not used:
        return not_run(claim, obstacles, rules)
    value = fmean(
        fmean(score(evidence, protocol).miou for evidence in seeds) for seeds in found.values()
    )
    if math.isnan(value):
        return Verdict("unverified", NO_LABELS, level=LEVELS["released"])
    gap, tolerance = value - claim.value, rounding_of(claim) + rules.tolerance.released.points
    lacks = _shortcomings(claim, protocol, found, wanted)
    status, reason = next(lacks, None) or status_of_gap(gap, tolerance, "points")
    if claim.noise is not None and status in ("below", "better"):
        status, reason = "inconclusive", f"{reason} {_OPEN}"
    if seeds := max(map(len, found.values())) - 1:
        each = "Each severity" if claim.noise is None else "It"
        reason += f" {each} is the mean of {seeds + 1} seeds."
    judged = Verdict(status, reason, value, gap, None, LEVELS["released"], tolerance)
    if not comparable(used) or len(set(map(len, found.values()))) > 1:
        return judged
    interval = known_interval(mean_interval(used, protocol, rules.interval))
    return dataclasses.replace(judged, interval=interval, over=over_images(used, rules.interval))


def not_run(claim: Claim, obstacles: Sequence[Obstacle], rules: Rules) -> Verdict:
    """The verdict on a number under a disturbance that nobody measured here.

    Under a corruption it is not blocked where its network is here: images of Cityscapes and weights
    are what anybody may bring along, and what of them is missing is said.
    """
    verdict = judge(claim, None, None, obstacles, rules)
    absent = any(one.kind in ("not implemented", OTHER_NETWORK) for one in obstacles)
    if verdict.status != "blocked" or not claim.corruption or absent:
        return verdict
    reason = f"Nobody has run it yet. What is missing: {verdict.reason}"
    return dataclasses.replace(verdict, status="unverified", reason=reason)


def _shortcomings(
    claim: Claim, protocol: Protocol, found: BySeverity, wanted: Sequence[int]
) -> Iterator[tuple[Status, str]]:
    """Why evidence of a corruption says less than a whole, current evaluation."""
    command = f"segmodels verify {claim.id}"
    if len(found) < len(wanted):
        number = f"{len(found)} of {len(wanted)} severities"
        yield "partial", f"Only {number} were evaluated by a seed that all have: {command}"
    for evidence in (one for seeds in found.values() for one in seeds):
        yield from shortcomings(evidence, protocol, "", command)
