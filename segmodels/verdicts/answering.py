"""The evidence that answers a claim or a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segmodels.assets.entries import DatasetEntry
from segmodels.claims import Claim
from segmodels.evidence import Evidence, read_evidence
from segmodels.metrics.severities import NOISE
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.corruptions import is_current
from segmodels.runs.run import Run
from segmodels.training.provenance import first_change, training_in
from segmodels.verdicts.evidence_index import EvidenceIndex, Found, conditions
from segmodels.verdicts.matching import best
from segmodels.verdicts.project import Project
from segmodels.verdicts.resolved import ResolvedClaim
from segmodels.verdicts.retrained import on_same_images
from segmodels.verdicts.rules import Level
from segmodels.verdicts.verdict import Answer


@dataclass(frozen=True)
class Answered:
    """An answer, and the piece of evidence that stands for it in a row.

    Attributes:
        answer: all evidence that is compared.
        found: the first of it, with where it lies.
    """

    answer: Answer
    found: Found


def answer_claim(project: Project, resolved: ResolvedClaim) -> Answered | None:
    """Evidence of the released weights of a claim, else of weights trained again for it."""
    if resolved.protocol is None:
        return None
    found = find_released(project, resolved, resolved.dataset)
    return of_released(found) if found else _retrained(project, resolved, resolved.protocol)


def answer_run(project: Project, run: Run, protocol: Protocol) -> Answered | None:
    """Evidence of the weights of a run under a protocol; of those it trained before, if it has no
    other.
    """
    dataset, entry = project.datasets[run.dataset], project.weights.get(run.weights or "")
    if entry is None:
        return _trained(project, run, dataset, protocol)
    released = project.index.released(run.dataset, run.split, protocol.inference_fp32, entry)
    found = best(released, dataset, run.split, protocol)
    return of_released(found) if found else None


def current_evidence(
    project: Project, run: Run, protocol: Protocol
) -> tuple[Found | None, list[Found]]:
    """Undisturbed evidence of a run as it is now under a protocol, and its disturbed copies."""
    answered = answer_run(project, run, protocol)
    if answered is None or answered.answer.outdated:
        return None, []
    return answered.found, project.index.disturbed(answered.found.evidence)


def find_released(
    project: Project, resolved: ResolvedClaim, dataset: DatasetEntry | None
) -> Found | None:
    """Evidence of the released weights of a claim, on the images that a dataset's entry lists.

    Args:
        project: with the evidence.
        resolved: the claim; its dataset is that of the images, or of their corrupted copies.
        dataset: the entry; None takes any images.
    """
    if resolved.protocol is None:
        return None
    released = all_released(project, resolved)
    return best(released, dataset, resolved.claim.split, resolved.protocol)


def all_released(project: Project, resolved: ResolvedClaim) -> list[Found]:
    """All evidence of the released weights of a claim on its split, whoever counted it."""
    if resolved.protocol is None or resolved.weights is None:
        return []
    dataset, inference = clean_dataset(resolved.claim), resolved.protocol.inference_fp32
    return project.index.released(dataset, resolved.claim.split, inference, resolved.weights)


def clean_dataset(claim: Claim) -> str:
    """The dataset that a claim's images are of, or were before they were corrupted."""
    return claim.dataset.removesuffix("_c") if claim.corruption else claim.dataset


def disturbed_copies(index: EvidenceIndex, clean: Evidence, claim: Claim) -> list[Evidence]:
    """Evidence under the corruption of a claim, or under its noise; read again, because the index
    holds no single images of it. What was counted before the corruption's pixels changed is none.
    """
    field, value = ("corruption", claim.corruption) if claim.corruption else (NOISE, claim.noise)

    def asked(condition: Mapping[str, Any]) -> bool:
        return condition.get(field) == value and (field == NOISE or is_current(condition))

    copies = index.disturbed(clean)
    found = [one for one in copies if asked(one.evidence.identity.condition or {})]
    return [read_evidence(one.path) for one in found]


def of_released(found: Found) -> Answered:
    """Evidence of released weights as an answer, at the level of whoever counted it."""
    level: Level = "third_party" if found.by else "released"
    signature = found.evidence.counted.signature
    return Answered(Answer((found.evidence,), level, found.by, signature), found)


def _retrained(project: Project, resolved: ResolvedClaim, protocol: Protocol) -> Answered | None:
    """Evidence of all seeds that saw the same images; of an earlier form of a run, if of none."""
    runs = [run for run in project.runs if resolved.claim.id in run.retrains]
    each = {run.name: _trained(project, run, resolved.dataset, protocol) for run in runs}
    known = [one for one in each.values() if one]
    seeds = [one.found for one in known if not one.answer.outdated]
    if not seeds:
        return known[0] if known else None
    common = on_same_images(seeds)
    answer = Answer(
        tuple(conditions(common)),
        "retrained",
        left_out=len(seeds) - len(common),
        absent=tuple(_absent(each)),
    )
    return Answered(answer, common[0])


def _absent(each: Mapping[str, Answered | None]) -> Iterator[str]:
    """Runs whose evidence does not count, by name, and why."""
    for name, answered in each.items():
        if answered is None:
            yield f"{name}: no evidence"
        elif outdated := answered.answer.outdated:
            yield f"{name}: {outdated}"


def _trained(
    project: Project, run: Run, dataset: DatasetEntry | None, protocol: Protocol
) -> Answered | None:
    """Evidence of the weights a run asks for, else of what it trained before."""
    index, asked = project.index, project.trainings[run.name]
    question = run.dataset, run.split, protocol.inference_fp32
    level: Level = "retrained" if run.retrains else "trained"
    level = "own" if run.comes_with_weights else level
    if found := best(index.trained(*question, asked), dataset, run.split, protocol):
        return Answered(Answer((found.evidence,), level), found)
    before = index.trained_before(*question, run.name)
    if (found := best(before, dataset, run.split, protocol)) is None:
        return None
    outdated = first_change(training_in(found.evidence), asked)
    return Answered(Answer((found.evidence,), level, outdated=outdated), found)
