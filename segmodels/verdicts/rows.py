"""Rows made of verdicts: what was judged, the verdict, its protocol and its evidence as one `Row`.

Nothing is judged here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from segmodels.assets.entries import WeightsEntry
from segmodels.claims import Claim, Statement
from segmodels.evidence import Evidence, read_evidence
from segmodels.metrics.intervals import Interval, mean_interval
from segmodels.metrics.robustness import Robustness, summarise
from segmodels.metrics.scores import comparable, score
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import Run
from segmodels.verdicts.matching import answers, has_released_weights
from segmodels.verdicts.project import Project
from segmodels.verdicts.resolved import ResolvedClaim
from segmodels.verdicts.row import Row
from segmodels.verdicts.shelf import Found, conditions
from segmodels.verdicts.statements import Finding
from segmodels.verdicts.verdict import Verdict


def row_of_claim(
    project: Project, asked: ResolvedClaim, verdict: Verdict, found: Found | None
) -> Row:
    """The row of a claim about an mIoU or an accuracy.

    Args:
        project: with the runs that may answer it.
        asked: the claim, and what it names.
        verdict: on it.
        found: the evidence it rests on; None where there is none, it is of another network, or
            the number is a mean over severities.
    """
    claim, entry = asked.claim, asked.weights
    runs = [run.name for run in project.runs if answers(run, claim)]
    known = entry.identities if entry else ()
    row = replace(
        _with_protocol(_of_printed_claim(claim, verdict), asked.protocol),
        run=runs[0] if runs else None,
        weights=known[0] if known else None,
        pinned=_pinned(entry, found),
        weights_origin={"released": claim.weights} if claim.weights else {},
    )
    if not found or not asked.protocol:
        return row
    row = _with_evidence(project, row, asked.protocol, found)
    return row if runs else _with_verified_figure(row, claim, asked.protocol, found)


def row_of_cost(project: Project, claim: Claim, verdict: Verdict) -> Row:
    """The row of a claim about parameters, operations or a speed."""
    convention = project.costs.protocol(claim)
    counted = verdict.level == "counted"
    return replace(
        _of_printed_claim(claim, verdict),
        protocol_title=convention.title if convention else "",
        protocol_source=convention.source if convention else "",
        protocol_version=convention.version if convention else 0,
        evidence_file=project.costs.file(project.link_from) if counted else None,
        rerun="segmodels efficiency",
    )


def row_of_statement(statement: Statement, verdict: Verdict, findings: Iterable[Finding]) -> Row:
    """The row of a statement, with what each of its parts came to."""
    return replace(
        _of_verdict(verdict),
        claim=statement.id,
        kind="relative",
        metric="statement",
        unit="",
        model=statement.text,
        paper=statement.paper,
        title=statement.title,
        arxiv=statement.arxiv,
        url=statement.url,
        source=statement.source,
        seen=statement.seen,
        notes=statement.notes,
        claimant="authors",
        rerun="segmodels leaderboard",
        findings=tuple(map(_part, findings)),
    )


def row_of_measurement(
    project: Project, run: Run, protocol: Protocol, verdict: Verdict, found: Found
) -> Row:
    """The row of a number of our own: of a run under one of its protocols."""
    row = replace(
        _of_verdict(verdict),
        kind="measurement",
        model=found.evidence.identity.model.get("name", run.model),
        dataset=run.dataset,
        split=run.split,
        run=run.name,
        rerun=f"segmodels evaluate {run.name}",
        pinned=_pinned(project.weights.get(run.weights or ""), found),
    )
    return _with_evidence(project, _with_protocol(row, protocol), protocol, found)


# Parts of a row.


def _of_verdict(verdict: Verdict) -> Row:
    """A row of a verdict alone, without what was judged."""
    return Row(
        claim=None,
        claimed=None,
        verified=_rounded(verdict.verified),
        gap=_rounded(verdict.gap),
        interval=_ends(verdict.interval),
        interval_over=verdict.over,
        seed_interval=_ends(verdict.seed_interval),
        verdict=verdict.status,
        level=verdict.level,
        reason=verdict.reason,
        tolerance=_rounded(verdict.tolerance),
        model="",
        dataset="",
        split="",
        protocol="",
        evidence=None,
        obstacle=verdict.obstacle,
        seeds=tuple(round(value, 4) for value in verdict.seeds),
    )


def _of_printed_claim(claim: Claim, verdict: Verdict) -> Row:
    """A row of a claim as it is printed, and its verdict."""
    return replace(
        _of_verdict(verdict),
        claim=claim.id,
        claimed=claim.value,
        decimals=claim.decimals,
        model=claim.model,
        dataset=claim.dataset,
        split=claim.split,
        protocol=claim.protocol,
        paper=claim.paper,
        title=claim.title,
        arxiv=claim.arxiv,
        source=claim.source,
        url=claim.url,
        notes=claim.notes,
        metric=claim.metric,
        unit=claim.unit,
        claimant=claim.who,
        seen=claim.seen,
        checkpoint=claim.checkpoint,
        stated=claim.stated,
        corruption=claim.corruption,
        conflicts=claim.conflicts,
        disputed=tuple(one.model_dump() for one in claim.disputed),
        rerun=f"segmodels verify {claim.id}",
    )


def _with_protocol(row: Row, protocol: Protocol | None) -> Row:
    if protocol is None:
        return row
    return replace(
        row,
        protocol=protocol.name,
        protocol_title=protocol.title,
        protocol_source=protocol.source,
        protocol_version=protocol.version,
        protocol_fields={**protocol.inference, **protocol.scoring},
    )


def _with_evidence(project: Project, row: Row, protocol: Protocol, found: Found) -> Row:
    """A row with what its evidence holds beside the number that was judged."""
    evidence, identity = found.evidence, found.evidence.identity
    scores = score(evidence, protocol)
    labelled = not math.isnan(scores.miou)
    return replace(
        row,
        evidence=evidence.key,
        evidence_file=Path(os.path.relpath(found.path, project.link_from)).as_posix(),
        images=len(evidence.images),
        expected_images=evidence.expected_images,
        weights=identity.weights,
        # What others say of where weights come from is their word.
        weights_origin=row.weights_origin if found.by else evidence.weights_origin,
        fingerprint=identity.fingerprint,
        evaluator=identity.evaluator,
        counted_by=found.by,
        counted_at=evidence.counted.url,
        software=dict(sorted(evidence.software.items())),
        pixel_accuracy=_rounded(scores.pixel_accuracy),
        mean_accuracy=_rounded(scores.mean_accuracy),
        per_class={name: _rounded(iou) for name, iou in scores.per_class.items()},
        robustness=_robustness(project, found, protocol) if labelled else None,
        figure=_figure(project, row.run, found),
    )


def _robustness(project: Project, clean: Found, protocol: Protocol) -> Robustness | None:
    """What disturbed copies of evidence came to; None without any."""
    disturbed = project.shelf.disturbed(clean.evidence)
    files = {found.evidence.key: found.path for found in disturbed}

    def interval_of(seeds: list[Evidence]) -> Interval | None:
        # The shelf merges their images; a few at a time they fit in memory.
        whole = [read_evidence(files[evidence.key]) for evidence in seeds]
        if not comparable(whole):
            return None
        return _known(mean_interval(whole, protocol, project.rules.interval))

    if not disturbed:
        return None
    return summarise(clean.evidence, conditions(disturbed), protocol, interval_of)


def _known(interval: Interval) -> Interval | None:
    """Four decimals; None where nothing is known."""
    low, high = interval
    return None if math.isnan(low) or math.isnan(high) else (round(low, 4), round(high, 4))


def _figure(project: Project, name: str | None, found: Found) -> str | None:
    """Where the evaluation of a run puts its picture, whether or not it is here."""
    run = next((one for one in project.runs if one.name == name and not found.by), None)
    identity = found.evidence.identity
    for protocol in (project.protocols[name] for name in (run.protocols if run else ())):
        counted = protocol.inference_fp32, protocol.precision
        if counted == (identity.inference, identity.precision):
            return f"figures/{name}-{protocol.name}.png"
    return None


def _with_verified_figure(row: Row, claim: Claim, protocol: Protocol, found: Found) -> Row:
    """A row with the picture of `segmodels verify`, which evaluates without a run of its own."""
    if not found.path.parent.as_posix().endswith(f"/{claim.id}/{protocol.name}"):
        return row
    return replace(row, figure=f"figures/{claim.id}-{protocol.name}.png")


def _pinned(entry: WeightsEntry | None, found: Found | None) -> str:
    """What fixes the bytes of the released weights behind a row; "" where there are none."""
    if entry is None or not (entry.files or found):
        return ""
    theirs = found is None or found.unpinned or has_released_weights(found.evidence, entry)
    return entry.pinned if theirs else ""


def _part(finding: Finding) -> dict[str, str | bool]:
    names = ("about", "outcome", "text", "counts")
    return {name: getattr(finding, name) for name in names}


def _ends(interval: Interval | None) -> Interval | None:
    return interval and (round(interval[0], 4), round(interval[1], 4))


def _rounded(value: float | None) -> float | None:
    """Four decimals; None for NaN, which JSON cannot hold."""
    return None if value is None or math.isnan(value) else round(value, 4)
