"""Runs that were measured under the same corruptions, ranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

from segmodels.core import paths
from segmodels.errors import pick
from segmodels.evidence import read_evidence
from segmodels.evidence.files import read_head
from segmodels.evidence.head import Head
from segmodels.metrics.ranking import Corrupted, Ranked, over_corruptions, ranking
from segmodels.robustness.corruptions import is_current
from segmodels.runs.run import Run
from segmodels.verdicts.answering import current_evidence
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.project import Project, load_project

#: What was done to the images, with the evidence of each seed.
_Copies = dict[str, list[Found]]

#: Fields in which evidence of one and the same disturbance may differ.
_ALIKE = ("seed", "version")


def rank_runs(reference: str, runs: Iterable[str]) -> dict[str, Ranked]:
    """Runs by name, the highest mIoU first, over the corruptions that one of them went through.

    Those that lack one of these, or were measured on other images, are left out.

    Args:
        reference: the run whose corruptions are taken.
        runs: all that are compared, that one included.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    project = load_project(paths.published_evidence(), paths.reports(), paths.evidence())
    known = {run.name: run for run in project.runs}
    copies = {name: _copies(project, pick("run", name, known)) for name in runs}
    wanted = copies[reference].keys()
    taken = {
        name: list(chain.from_iterable(own[terms] for terms in sorted(wanted)))
        for name, own in copies.items()
        if wanted and wanted <= own.keys()
    }
    joined = _blocks_of(taken.get(reference, []), chain.from_iterable(taken.values()))
    found: dict[str, Corrupted] = {}
    for name, pieces in taken.items():
        protocol = pick("protocol", known[name].protocols[0], project.protocols)
        read = (read_evidence(one.path) for one in pieces)
        if mean := over_corruptions(read, protocol, project.rules.interval, joined):
            found[name] = mean
    return ranking(found, project.rules.interval)


def _blocks_of(reference: Iterable[Found], every: Iterable[Found]) -> set[tuple[int, ...]]:
    """Blocks that evidence of as many of the same images as that of the reference is in.

    Some may have been published when `groups` in `params/datasets.yaml` named other blocks.
    """
    images = {_images_of(read_head(one.path)) for one in reference}
    heads = (read_head(one.path) for one in every)
    found = (one for one in heads if one.get("blocks") and _images_of(one) in images)
    return {tuple(one["blocks"]["sizes"]) for one in found}


def _images_of(head: Head) -> tuple[str, int]:
    return head["identity"]["fingerprint"], head["images"]


def _copies(project: Project, run: Run) -> _Copies:
    """Evidence of a run under corruptions as they are now, by what was done to all images."""
    protocol = pick("protocol", run.protocols[0], project.protocols)
    found: _Copies = defaultdict(list)
    for one in current_evidence(project, run, protocol)[1]:
        condition = one.evidence.identity.condition or {}
        if is_current(condition) and one.evidence.identity.every == 1:
            terms = {field: value for field, value in condition.items() if field not in _ALIKE}
            found[repr(sorted(terms.items()))].append(one)
    return found
