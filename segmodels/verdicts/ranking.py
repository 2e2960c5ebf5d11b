"""Runs that were measured under the same corruptions, ranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

from segmodels.errors import pick
from segmodels.evidence import read_evidence
from segmodels.evidence.files import read_head
from segmodels.evidence.head import Head
from segmodels.metrics.comparable import Conditions
from segmodels.metrics.ranking import Corrupted, Ranked, over_corruptions, ranking
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.corruptions import is_current
from segmodels.runs.run import Run
from segmodels.verdicts.answering import current_evidence
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.project import Project

#: Corruption and severity, with the evidence of each seed.
_Copies = dict[tuple[str, float], list[Found]]

#: Fields of a corruption as it usually is; what has others is another one.
_USUAL = {"corruption", "severity", "seed", "version"}


def rank_runs(
    project: Project, runs: Iterable[str], protocol: Protocol, conditions: Conditions
) -> dict[str, Ranked]:
    """Runs by name, the highest mIoU first, over corruptions that all of them went through.

    Those that lack one of these, or were measured on other images than the first, are left out.

    Args:
        project: with the evidence.
        runs: that are compared.
        protocol: by which they were counted.
        conditions: corruptions and severities.

    Raises:
        SegmodelsError: a piece of evidence is broken; it is named.
    """
    known = {run.name: run for run in project.runs}
    copies = {name: _copies(project, pick("run", name, known), protocol) for name in runs}
    taken = {
        name: list(chain.from_iterable(own[terms] for terms in sorted(conditions)))
        for name, own in copies.items()
        if conditions and conditions <= own.keys()
    }
    joined = _blocks_of(next(iter(taken.values()), []), chain.from_iterable(taken.values()))
    found: dict[str, Corrupted] = {}
    for name, pieces in taken.items():
        read = (read_evidence(one.path) for one in pieces)
        if mean := over_corruptions(read, protocol, project.rules.interval, joined):
            found[name] = mean
    return ranking(found, project.rules.interval)


def _blocks_of(first: Iterable[Found], every: Iterable[Found]) -> set[tuple[int, ...]]:
    """Blocks that evidence of as many of the same images as that of the first run is in.

    Some may have been published when `groups` in `params/datasets.yaml` named other blocks.
    """
    images = {_images_of(read_head(one.path)) for one in first}
    heads = (read_head(one.path) for one in every)
    found = (one for one in heads if one.get("blocks") and _images_of(one) in images)
    return {tuple(one["blocks"]["sizes"]) for one in found}


def _images_of(head: Head) -> tuple[str, int]:
    return head["identity"]["fingerprint"], head["images"]


def _copies(project: Project, run: Run, protocol: Protocol) -> _Copies:
    """Evidence of a run under corruptions as they are now, of all images."""
    found: _Copies = defaultdict(list)
    for one in current_evidence(project, run, protocol)[1]:
        condition = one.evidence.identity.condition or {}
        usual = condition.keys() <= _USUAL and one.evidence.identity.every == 1
        if usual and is_current(condition):
            found[condition["corruption"], condition["severity"]].append(one)
    return found
