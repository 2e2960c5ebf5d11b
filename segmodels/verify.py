"""From a claim to its verdict in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels import layout
from segmodels.assets import load_dataset_entry, load_weights_entry
from segmodels.claims import Claim, load_claim
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import Row, build_rows
from segmodels.protocols import load_protocol
from segmodels.runs import Run, load_run, run_names

if TYPE_CHECKING:
    from segmodels.evaluate import Progress


def verify(
    claim_id: str, device: str = "cpu", progress: Progress | None = None, force: bool = False
) -> Row:
    """Fetch what a claim needs, evaluate unless its evidence is here already (or forced),
    and judge.

    A claim whose weights or dataset nobody can fetch is judged as it is: blocked, with the
    reason.

    Raises:
        UnknownNameError: no such claim; the message suggests the nearest.
        SegmodelsError: something obtainable could not be obtained or evaluated.
    """
    claim = load_claim(claim_id)
    judged = _row(claim)
    if force or judged.verdict in ("unverified", "partial", "stale"):
        if not _obtainable(claim):
            return judged
        from segmodels import steps  # brings torch, which judging does not need

        run = run_of(claim)
        steps.bring(run, device)
        protocol = evaluated_protocol(run, claim.protocol)
        steps.evaluate_run(run.name, protocol, device, progress, force)
        judged = _row(claim)
    return judged


def _row(claim: Claim) -> Row:
    (row,) = (row for row in build_rows(layout.evidence()) if row.claim == claim.id)
    return row


def _obtainable(claim: Claim) -> bool:
    if claim.weights is None:
        return False
    return (
        load_weights_entry(claim.weights).state == load_dataset_entry(claim.dataset).state == "ok"
    )


def run_of(claim: Claim) -> Run:
    """The run in `params/runs` that evaluates a claim's weights on its split.

    Raises:
        SegmodelsError: there is none; the message says what to write.
    """
    for run in map(load_run, run_names()):
        same = (run.weights, run.dataset, run.split) == (claim.weights, claim.dataset, claim.split)
        if same and claim.protocol in run.protocols:
            return run
    raise SegmodelsError(
        f"No run evaluates claim {claim.id!r}: add params/runs/{claim.id}.yaml with model "
        f"{claim.model}, weights {claim.weights}, dataset {claim.dataset}, split {claim.split} "
        f"and protocols [{claim.protocol}]."
    )


def evaluated_protocol(run: Run, protocol: str) -> str:
    """The protocol of the run under whose name evidence for one of its protocols is kept."""
    wanted = load_protocol(protocol).inference
    shared = (name for name in run.distinct_protocols() if load_protocol(name).inference == wanted)
    return next(shared)
