"""Rows made of verdicts: what was judged, the verdict, its protocol and its evidence as one `Row`.

Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable

from segmodels.claims import Claim, Statement
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import Run
from segmodels.verdicts.compare import measured_metric
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.evidence_summary import summarise_evidence
from segmodels.verdicts.matching import answers
from segmodels.verdicts.project import Project
from segmodels.verdicts.recounts import Recount
from segmodels.verdicts.resolved import ResolvedClaim
from segmodels.verdicts.row import Row
from segmodels.verdicts.row_subject import Measurement, RowSubject
from segmodels.verdicts.verdict import Verdict
from segmodels.verdicts.weights_summary import summarise_weights


def row_of_claim(
    project: Project,
    resolved: ResolvedClaim,
    verdict: Verdict,
    found: Found | None,
    recounts: tuple[Recount, ...] = (),
) -> Row:
    """The row of a claim about an mIoU or an accuracy.

    Args:
        project: with the runs that may answer it.
        resolved: the claim, and what it names.
        verdict: on it.
        found: the evidence it rests on; None where there is none, it is of another network, or
            the number is a mean over severities.
        recounts: what third parties counted of the same weights.
    """
    claim, protocol = resolved.claim, resolved.protocol
    run = _answering(project.runs, claim, verdict)
    known = found if protocol else None
    return Row(
        subject=RowSubject(claim),
        verdict=verdict.rounded(),
        command=f"segmodels verify {claim.id}",
        protocol=protocol,
        weights=summarise_weights(resolved.weights, claim.weights, known),
        evidence=summarise_evidence(project, known, protocol) if known and protocol else None,
        recounts=recounts,
        answered_by=run.name if run else None,
        figure=_figure_of_claim(project, resolved, run, known) if known else None,
    )


def _answering(runs: Iterable[Run], claim: Claim, verdict: Verdict) -> Run | None:
    """The first run of the released weights, or of those trained again where these were judged."""
    fitting = [run for run in runs if answers(run, claim)]
    again = (verdict.level or "").startswith("retrained")
    of_level = (run for run in fitting if (claim.id in run.retrains) == again)
    return next(of_level, fitting[0] if fitting else None)


def row_of_cost(project: Project, claim: Claim, verdict: Verdict) -> Row:
    """The row of a claim about parameters, operations or a speed."""
    counted = verdict.level == "counted"
    return Row(
        subject=RowSubject(claim),
        verdict=verdict.rounded(),
        command="segmodels efficiency",
        protocol=project.costs.protocol(claim),
        cost_file=project.costs.file(project.link_from) if counted else None,
    )


def row_of_statement(statement: Statement, verdict: Verdict) -> Row:
    """The row of a statement."""
    return Row(RowSubject(statement), verdict.rounded(), command="segmodels leaderboard")


def row_of_measurement(
    project: Project,
    run: Run,
    protocol: Protocol,
    verdict: Verdict,
    found: Found,
    recounts: tuple[Recount, ...] = (),
) -> Row:
    """The row of a number of our own: of a run under one of its protocols."""
    network = found.evidence.identity.model  # of what was counted, whatever the run says by now
    overrides = {name: network[name] for name in run.overrides if name in network}
    model = network.get("name", run.model)
    about = (run.name, model, run.dataset, run.split, overrides, measured_metric(protocol))
    return Row(
        subject=RowSubject(Measurement(*about)),
        verdict=verdict.rounded(),
        command=f"segmodels evaluate {run.name}",
        protocol=protocol,
        weights=summarise_weights(project.weights.get(run.weights or ""), None, found),
        evidence=summarise_evidence(project, found, protocol),
        recounts=recounts,
        figure=_figure_of_run(project, run, found),
    )


def _figure_of_claim(
    project: Project, resolved: ResolvedClaim, run: Run | None, found: Found
) -> str | None:
    """The picture of the run that answers a claim; without one that of `segmodels verify`, which
    evaluates without a run of its own.
    """
    if run:
        return _figure_of_run(project, run, found)
    claim = resolved.claim
    verified = found.path.parent.as_posix().endswith(f"/{claim.id}/{claim.protocol}")
    return _figure(project, f"{claim.id}-{claim.protocol}", found) if verified else None


def _figure_of_run(project: Project, run: Run, found: Found) -> str | None:
    """Where the evaluation of a run on this machine puts its picture, whether or not it is here."""
    if found.by:
        return None
    identity = found.evidence.identity
    for protocol in (project.protocols[name] for name in run.protocols):
        counted = protocol.inference_fp32, protocol.precision
        if counted == (identity.inference, identity.precision):
            return _figure(project, f"{run.name}-{protocol.name}", found)
    return None


def _figure(project: Project, name: str, found: Found) -> str | None:
    # One that was drawn here may show labels of other weights than those of published evidence.
    if project.figures is None or not found.local:
        return None
    return project.linked(project.figures / f"{name}.png")
