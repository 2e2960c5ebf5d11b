"""Judging a project: from its claims, statements, runs and evidence to the rows of the board."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from segmodels.claims import Claim, Statement
from segmodels.verdicts.answering import (
    Answered,
    all_released,
    answer_claim,
    clean_dataset,
    current_evidence,
    disturbed_copies,
    find_released,
)
from segmodels.verdicts.caveats import capped, of_other_images, with_caveats
from segmodels.verdicts.compare import blocked, judge, judge_cost, training_command
from segmodels.verdicts.corrupted import judge_corrupted, not_run
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.instructions import to_do
from segmodels.verdicts.matching import other_network
from segmodels.verdicts.measurements import measurement_rows
from segmodels.verdicts.project import Project, load_project
from segmodels.verdicts.recounts import Recount, recounts_of
from segmodels.verdicts.resolved import ResolvedClaim, is_cost, resolve
from segmodels.verdicts.row import Row
from segmodels.verdicts.rows import row_of_claim, row_of_cost, row_of_statement
from segmodels.verdicts.statements import judge_statement
from segmodels.verdicts.verdict import Verdict


def build_rows(
    evidence_folder: Path, link_from: Path | None = None, local: Path | None = None
) -> list[Row]:
    """Judge all claims, statements and runs of the project from evidence alone.

    Args:
        evidence_folder: published evidence; searched with all folders below it; may be missing.
        link_from: folder that `evidence_file` is relative to (default: the parent folder).
        local: evidence of this machine, which goes before published one; None leaves it out.

    Returns:
        claims first (featured ones, then by paper and metric, highest value first), then
        statements, then other measurements.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    project = load_project(evidence_folder, link_from or evidence_folder.parent, local)
    claims = sorted(project.claims, key=_place)
    return [
        *(_claim_row(project, claim) for claim in claims),
        *(_statement_row(project, statement) for statement in project.statements),
        *measurement_rows(project, project.runs),
    ]


def build_rows_of_run(
    name: str, evidence_folder: Path, link_from: Path | None = None, local: Path | None = None
) -> list[Row]:
    """The rows of `build_rows` that a run can be behind; no other ones are judged.

    That is its measurements, and the claims about its network on its dataset.

    Args:
        name: of the run.
        evidence_folder, link_from, local: as for `build_rows`.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    project = load_project(evidence_folder, link_from or evidence_folder.parent, local)
    runs = [run for run in project.runs if run.name == name]
    networks = {(run.model, run.dataset) for run in runs}
    claims = [claim for one in sorted(networks) for claim in project.by_network.get(one, ())]
    return [*(_claim_row(project, claim) for claim in claims), *measurement_rows(project, runs)]


def build_row(
    entry: Claim | Statement,
    evidence_folder: Path,
    link_from: Path | None = None,
    local: Path | None = None,
) -> Row:
    """The row that `build_rows` has for a claim or statement; no other one is judged.

    Args:
        entry: of the project.
        evidence_folder, link_from, local: as for `build_rows`.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    project = load_project(evidence_folder, link_from or evidence_folder.parent, local)
    if isinstance(entry, Claim):
        return _claim_row(project, entry)
    return _statement_row(project, entry)


def _place(claim: Claim) -> tuple[bool, str, str, float]:
    """Featured claims keep the order of their file."""
    if claim.featured:
        return False, claim.paper, "", 0.0
    return True, claim.paper, claim.metric, -claim.value


def _claim_row(project: Project, claim: Claim) -> Row:
    resolved = resolve(project, claim)
    if is_cost(claim):
        counted = project.costs.counted(claim)
        verdict = judge_cost(claim, counted, resolved.obstacles, project.rules)
        return row_of_cost(project, claim, _with_todo(project, resolved, verdict))
    verdict, found = _judged_claim(project, resolved)
    others = _recounts(project, resolved, found) if found else ()
    return row_of_claim(project, resolved, _with_todo(project, resolved, verdict), found, others)


def _with_todo(project: Project, resolved: ResolvedClaim, verdict: Verdict) -> Verdict:
    """A verdict; that on a claim that lacks something with what would help."""
    if not verdict.obstacle:
        return verdict
    todo = to_do(resolved.obstacles, resolved.weights, resolved.dataset, project.rules.obstacles)
    if resolved.trainings:
        todo.append(f"or train the weights again: {training_command(resolved.trainings)}")
    return dataclasses.replace(verdict, todo=tuple(todo))


def _judged_claim(project: Project, resolved: ResolvedClaim) -> tuple[Verdict, Found | None]:
    """The verdict on an mIoU or an accuracy, and the evidence that stands for it in the row."""
    claim = resolved.claim
    if claim.metric in ("mIoU-c", "mIoU-n"):
        return _judge_corrupted(project, resolved), None
    answered = answer_claim(project, resolved)
    compared = answered.answer.evidence if answered else ()
    if other := other_network(claim, resolved.weights, compared):
        return blocked([other, *resolved.obstacles], project.rules), None
    return _judge_score(project, resolved, answered), answered.found if answered else None


def _recounts(project: Project, resolved: ResolvedClaim, found: Found) -> tuple[Recount, ...]:
    """What third parties counted of the released weights of a claim, judged as the claim is."""
    if resolved.protocol is None:
        return ()
    asked = resolved.dataset, resolved.claim.split, resolved.protocol
    judged = partial(_judge_score, project, resolved)
    return recounts_of(project, all_released(project, resolved), asked, found, judged)


def _judge_score(project: Project, resolved: ResolvedClaim, answered: Answered | None) -> Verdict:
    """The verdict on a number of clean images, with what there is to say about its evidence."""
    answer = answered.answer if answered else None
    found, trainings = resolved.obstacles, resolved.trainings
    verdict = judge(resolved.claim, resolved.protocol, answer, found, project.rules, trainings)
    if answered is None or resolved.protocol is None:
        return of_other_images(verdict, find_released(project, resolved, None))
    return with_caveats(verdict, answered.found, resolved.protocol)


def _judge_corrupted(project: Project, resolved: ResolvedClaim) -> Verdict:
    """The verdict on a mean over the severities of one corruption, or on a level of noise."""
    claim, rules = resolved.claim, project.rules
    if resolved.protocol is None or resolved.weights is None:
        return not_run(claim, resolved.obstacles, rules)
    clean = find_released(project, resolved, project.datasets.get(clean_dataset(claim)))
    if other := other_network(claim, resolved.weights, [clean.evidence] if clean else ()):
        return blocked([other, *resolved.obstacles], rules)
    copies = disturbed_copies(project.index, clean.evidence, claim) if clean else []
    verdict = judge_corrupted(claim, resolved.protocol, copies, resolved.obstacles, rules)
    return capped(verdict, clean if copies else None)


def _statement_row(project: Project, statement: Statement) -> Row:
    evidence_of = partial(current_evidence, project)
    verdict = judge_statement(
        statement, project.costs, evidence_of, project.protocols, project.rules
    )
    return row_of_statement(statement, verdict)
