"""Verdicts: what they are, and the evidence that is compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from segmodels.core.wording import many
from segmodels.evidence import Evidence
from segmodels.metrics.intervals import Interval
from segmodels.verdicts.equivalence import Position
from segmodels.verdicts.part_result import PartResult
from segmodels.verdicts.rounding import rounded, rounded_interval
from segmodels.verdicts.rules import Level

Status = Literal[
    "verified",
    "better",
    "below",
    "inconclusive",
    "partial",
    "stale",
    "unverified",
    "blocked",
    "measured",
]

#: All verdicts with what they mean; the order is that of the leaderboard's counters.
STATUSES: dict[Status, str] = {
    "verified": "the measured number equals the printed one within the tolerance",
    "better": "the measured number is above the printed one by more than the tolerance",
    "below": "the measured number is below the printed one by more than the tolerance",
    "inconclusive": "too few trainings, or trainings too far apart, to say which of these it is",
    "partial": "only some images, only less than fp32, or only parts of a sentence bear it out",
    "stale": "the evidence is of an earlier evaluator or of an earlier form of the run",
    "unverified": "no measurement decides it yet; what is missing can be had, or is said",
    "blocked": "something that is needed cannot be had by everybody; the reason says what",
    "measured": "a number of our own that no paper prints under this protocol",
}


#: What trainings say of a printed number, as a verdict.
STATUS_OF: dict[Position, Status] = {
    "within": "verified",
    "above": "better",
    "beneath": "below",
    "undecided": "inconclusive",
}

LEVELS: dict[Level, str] = {
    "released": "released weights",
    "retrained": "retrained",
    "trained": "trained here",
    "third_party": "third party",
    "own": "own network",
}


@dataclass(frozen=True)
class Answer:
    """Evidence that answers a claim.

    Attributes:
        evidence: one piece, or one per seed of weights that were trained again.
        level: whose weights and whose run it is.
        by: name of the third party, if it is one.
        signature: whether they signed it, in a few words; empty where they did not.
        left_out: how many other seeds saw other images, so that they have no common mean.
        absent: runs that retrain the claim too and have no evidence that counts, each with why.
        outdated: how the training behind it differs from what its run asks for now, as words;
            empty for weights that the run as it is would train.
    """

    evidence: tuple[Evidence, ...]
    level: Level
    by: str = ""
    signature: str = ""
    left_out: int = 0
    outdated: str = ""
    absent: tuple[str, ...] = ()

    def describe(self) -> str:
        """The level for people: `retrained (3 seeds)`, `third party (NAME)`."""
        seeds = len(self.evidence)
        if self.level == "retrained":
            return f"retrained ({many(seeds, 'seed')})"
        who = ", ".join(filter(None, (self.by, self.signature)))
        return f"third party ({who})" if self.level == "third_party" else LEVELS[self.level]


@dataclass(frozen=True)
class Verdict:
    """The answer to "does the published number hold?".

    Numbers are in the claim's unit; None where nothing was measured or compared.

    Attributes:
        status: one of `STATUSES`.
        reason: one or a few sentences for people.
        verified: the measured number; with several seeds their mean.
        gap: verified minus claimed.
        interval: how far other images would move the number, and other seeds if there are several.
        level: whose weights and whose run; `counted` for parameters and operations.
        tolerance: allowed |gap|; of retrained weights for all that the mean over seeds may be.
        obstacle: kind of the first reason of a blocked claim.
        seeds: the measured number of every seed, when there are several.
        over: what the interval is over, for people: `3 seeds and 233 images`.
        seed_interval: where the mean over seeds lies on these very images, by the same confidence.
        parts: what each part of a statement came to.
        todo: what would unblock a claim: a line for each obstacle, steps below it indented by two
            spaces.
    """

    status: Status
    reason: str
    verified: float | None = None
    gap: float | None = None
    interval: Interval | None = None
    level: str | None = None
    tolerance: float | None = None
    obstacle: str | None = None
    seeds: tuple[float, ...] = ()
    over: str = ""
    seed_interval: Interval | None = None
    parts: tuple[PartResult, ...] = ()
    todo: tuple[str, ...] = ()

    def rounded(self) -> Verdict:
        """With all numbers to four decimals, None where they are NaN."""
        return dataclasses.replace(
            self,
            verified=rounded(self.verified),
            gap=rounded(self.gap),
            interval=rounded_interval(self.interval),
            tolerance=rounded(self.tolerance),
            seeds=tuple(round(value, 4) for value in self.seeds),
            seed_interval=rounded_interval(self.seed_interval),
        )


def each_once(trainings: Iterable[Evidence]) -> list[Evidence]:
    """Evidence of trainings without repeats: no two have equal weights, or equal counts."""
    once: list[Evidence] = []
    for evidence in trainings:
        same = (
            evidence.identity.weights == other.identity.weights or evidence.images == other.images
            for other in once
        )
        if not any(same):
            once.append(evidence)
    return once
