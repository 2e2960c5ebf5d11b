"""Severities that a published mean over a corruption is taken over, and the evidence of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from segmodels.core.entry import Entry, Several
from segmodels.evidence import Evidence

Severity = Literal[1, 2, 3, 4, 5]
ALL: tuple[Severity, ...] = get_args(Severity)


def _each_once(levels: tuple[int, ...]) -> tuple[int, ...]:
    if not levels or len(set(levels)) < len(levels):
        raise ValueError("expected severities 1 to 5, each once")
    return levels


#: Fields of a condition: a corruption's name, the standard deviation of noise on the parameters.
CORRUPTION = "corruption"
NOISE = "parameter_noise"

_CORRUPTED = {"corruption", "severity", "seed", "version"}

#: Severities, each once.
Levels = Annotated[Several[Severity], AfterValidator(_each_once)]

#: Evidence of one corruption by severity, at each severity one per seed, all by the same seeds.
BySeverity = dict[int, list[Evidence]]


class Severities(Entry):
    """`corruptions` of `params/verdict.yaml`.

    Attributes:
        severities: those that a mean over a corruption is taken over.
        fewer: the same for corruptions of which fewer are taken, by name.
    """

    severities: Levels
    fewer: dict[str, Levels] = Field(default_factory=dict)

    def of(self, corruption: str) -> tuple[int, ...]:
        """The severities of a corruption."""
        return self.fewer.get(corruption, self.severities)


def by_severity(copies: Iterable[Evidence], corruption: str, wanted: Iterable[int]) -> BySeverity:
    """Evidence of whole splits under a corruption, of the seeds that all severities have.

    Args:
        copies: disturbed evidence of one network on one split.
        corruption: whose evidence is taken.
        wanted: severities; those without evidence are left out.
    """
    found: dict[int, dict[int, Evidence]] = defaultdict(dict)
    for evidence in sorted(copies, key=lambda e: (e.identity.evaluator, e.key)):
        condition = evidence.identity.condition or {}
        if condition.get("corruption") == corruption and _is_whole(evidence, _CORRUPTED):
            found[condition["severity"]][condition.get("seed", 0)] = evidence
    here = [level for level in wanted if level in found]
    seeds = set[int]().union(*(found[level] for level in here))
    # Where no seed went through all severities, those of the one that went through most are taken.
    most = max((sum(s in found[level] for level in here) for s in seeds), default=0)
    common = [s for s in sorted(seeds) if sum(s in found[level] for level in here) == most]
    if most < len(here):
        common = common[:1]
    taken = {level: [found[level][s] for s in common if s in found[level]] for level in here}
    return {level: seeds for level, seeds in taken.items() if seeds}


def of_noise(copies: Iterable[Evidence], sigma: float) -> BySeverity:
    """Evidence of whole splits under one level of noise on all parameters, one per seed."""
    seeds = {}
    for evidence in sorted(copies, key=lambda e: (e.identity.evaluator, e.key)):
        condition = evidence.identity.condition or {}
        if condition.get(NOISE) == sigma and _is_whole(evidence, {NOISE, "seed"}):
            seeds[condition.get("seed", 0)] = evidence
    return {1: [seeds[seed] for seed in sorted(seeds)]} if seeds else {}


def _is_whole(evidence: Evidence, fields: set[str]) -> bool:
    """Whether all images of a split were counted under a condition of these fields alone."""
    alone = set(evidence.identity.condition or {}) <= fields
    return alone and evidence.identity.images is None and evidence.shard is None
