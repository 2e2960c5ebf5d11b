"""Runs that train the weights of a claim again: which claims they may name, and with whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from segmodels.claims import SCORES, Claim
from segmodels.core.files import digest
from segmodels.runs.run import Run
from segmodels.verdicts.evidence_index import Found

_SAME = ("model", "recipe", "overrides", "dataset", "split")


def wrong_retrains(runs: Iterable[Run], claims: Mapping[str, Claim]) -> Iterator[str]:
    """What is wrong with `retrains` of runs, with file and field.

    Runs of one claim are judged by their mean, so they must be one training that differs in
    nothing but its seed.
    """
    together: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        for name in run.retrains:
            together[name].append(run)
            for problem in _wrong_claim(run, claims.get(name)):
                yield f"{_file(run)}: field 'retrains' names {name!r}; {problem}."
    for name, (first, *others) in together.items():
        for other in others:
            if different := [f for f in _SAME if getattr(first, f) != getattr(other, f)]:
                yield (
                    f"{_file(other)}: field {different[0]!r} is not that of {first.name}, which "
                    f"retrains {name!r} too; seeds of one training are averaged, nothing else."
                )
        seeds = {run.seed: run.name for run in (first, *others)}
        if len(seeds) <= len(others):
            yield f"{_file(others[-1])}: field 'seed' repeats that of a run that retrains {name!r}."


def wrong_seeds(runs: Iterable[Run]) -> Iterator[str]:
    """What keeps the runs of one side of a statement from being seeds of one training."""
    first, *others = runs
    for other in others:
        if different := [f for f in _SAME if getattr(first, f) != getattr(other, f)]:
            yield (
                f"run {other.name!r} has another {different[0]} than {first.name!r}; several runs "
                "of one side are seeds of one training."
            )
    if len({run.seed for run in (first, *others)}) <= len(others):
        yield f"runs beside {first.name!r} repeat a seed; several runs of one side differ in seed."


def _wrong_claim(run: Run, claim: Claim | None) -> Iterator[str]:
    if claim is None:
        yield "there is no such claim"
        return
    if claim.metric not in SCORES:
        yield f"it is about {claim.metric}, which no training answers"
    for field in ("model", "dataset", "split"):
        if getattr(claim, field) != getattr(run, field):
            yield f"its {field} is {getattr(claim, field)!r}, not {getattr(run, field)!r}"
    if (asked := {**claim.overrides, **claim.assumed}) != run.overrides:
        fields = "overrides and assumed are" if claim.assumed else "overrides is"
        yield f"its {fields} {asked!r}, not {run.overrides!r}"
    if claim.protocol not in run.protocols:
        yield f"its protocol {claim.protocol!r} is not among 'protocols'"


def _file(run: Run) -> str:
    return f"params/runs/{run.name}.yaml"


def on_same_images(seeds: list[Found]) -> list[Found]:
    """The seeds that saw what the most complete one saw: only those have a common mean."""
    fullest = max(seeds, key=lambda found: (found.evidence.complete, len(found.evidence.images)))
    return [found for found in seeds if _saw(found) == _saw(fullest)]


def _saw(found: Found) -> str:
    evidence = found.evidence
    names = list(evidence.names)
    return digest([evidence.identity.fingerprint, evidence.classes, names])
