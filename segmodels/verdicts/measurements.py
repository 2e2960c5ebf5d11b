"""Measurements of our own: numbers of runs that no claim asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from segmodels.claims import Claim
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import Run
from segmodels.verdicts.answering import Answered, answer_run
from segmodels.verdicts.caveats import with_caveats
from segmodels.verdicts.compare import measure, measured_metric
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.matching import answers
from segmodels.verdicts.project import Project
from segmodels.verdicts.recounts import recounts_of
from segmodels.verdicts.row import Row
from segmodels.verdicts.row_subject import short_title
from segmodels.verdicts.rows import row_of_measurement
from segmodels.verdicts.verdict import Verdict


def measurement_rows(project: Project, runs: Iterable[Run]) -> list[Row]:
    """The rows of runs, by dataset and model, each once."""
    rows = (row for run in runs for row in _measurements(project, run))
    return sorted({(row.evidence_key, row.protocol_name): row for row in rows}.values(), key=_place)


def _place(row: Row) -> tuple[str, str, str, str]:
    return row.subject.dataset, row.subject.model, row.run or "", row.protocol_name


def _measurements(project: Project, run: Run) -> Iterator[Row]:
    """The rows of a run's protocols that have evidence and are no claim's."""
    claims = project.by_network.get((run.model, run.dataset), ())
    for protocol in (project.protocols[name] for name in run.protocols):
        answered = answer_run(project, run, protocol)
        if answered and not any(_answered_by(run, protocol, claim) for claim in claims):
            yield _measurement(project, run, protocol, answered, claims)


def _answered_by(run: Run, protocol: Protocol, claim: Claim) -> bool:
    return claim.protocol == protocol.name and answers(run, claim)


def _measurement(
    project: Project, run: Run, protocol: Protocol, answered: Answered, claims: Sequence[Claim]
) -> Row:
    reason, command = _why_measured(run, protocol, claims), f"segmodels evaluate {run.name}"
    metric, found = measured_metric(protocol), answered.found

    def judged(one: Answered) -> Verdict:
        verdict = measure(protocol, one.answer, reason, command, project.rules, metric)
        return with_caveats(verdict, one.found, protocol)

    asked = project.datasets[run.dataset], run.split, protocol
    others = recounts_of(project, _all(project, run, protocol), asked, found, judged)
    return row_of_measurement(project, run, protocol, judged(answered), found, others)


def _all(project: Project, run: Run, protocol: Protocol) -> list[Found]:
    """All evidence of the released weights of a run; of a training others can have none."""
    entry = project.weights.get(run.weights or "")
    if entry is None:
        return []
    return project.index.released(run.dataset, run.split, protocol.inference_fp32, entry)


def _why_measured(run: Run, protocol: Protocol, claims: Iterable[Claim]) -> str:
    """Why a number of our own stands beside no printed one."""
    printed = [claim for claim in claims if claim.metric == "mIoU"]
    if not printed:
        return "No published number is known for this model on this dataset."
    here = [c for c in printed if (c.protocol, c.split) == (protocol.name, run.split)]
    claim = (here or printed)[0]
    claims_it = f"{short_title(claim.title, claim.paper)} claims {claim.printed}"
    if here:
        return f"{claims_it} under this protocol, but with other weights."
    under = claim.protocol or "a protocol it does not state"
    return f"No published number uses this protocol; {claims_it} under {under}."
