"""From a claim to its verdict in one call."""

from __future__ import annotations

from segmodels.assets.added import is_added
from segmodels.assets.entries import DatasetEntry, load_dataset_entry, load_weights_entry
from segmodels.assets.fetch import archives_at_hand
from segmodels.claims import COUNTED, SCORES, Claim, Statement, load_claims, load_statements
from segmodels.core import paths
from segmodels.datasets.registration import registered
from segmodels.errors import SegmodelsError, pick
from segmodels.leaderboard import Row, build_row
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import Run, checked_run, load_runs, run_names
from segmodels.steps.options import USUAL, Options
from segmodels.verdicts.matching import asks_for
from segmodels.verdicts.obstacles import obstacles

_OPEN = ("unverified", "partial", "stale")


def verify(claim_id: str, options: Options = USUAL) -> Row:
    """Do what a claim or statement needs, unless it is done already (or forced), and judge.

    Parameters and operations are counted; for a mIoU the weights and the dataset are fetched and
    evaluated. What cannot be fetched is judged as it is, unless its user has a copy of the
    images (`segmodels data add`): blocked, with the reasons
    (`segmodels.verdicts.instructions.instructions` says what to do about them).

    Raises:
        UnknownNameError: no such claim; the message suggests the nearest.
        SegmodelsError: something obtainable could not be obtained or evaluated.
    """
    known: dict[str, Claim | Statement] = {**load_claims(), **load_statements()}
    entry = pick("claim", claim_id, known)
    judged = _judged(entry)
    if not options.force and not _to_do(entry, judged):
        return judged
    if not isinstance(entry, Claim) or entry.metric in COUNTED:
        from segmodels.steps.costs import count_for, is_counted

        if not options.force and is_counted(entry):
            return judged
        count_for(entry)
    elif obtainable(entry):
        _evaluate(entry, options)
    return _judged(entry)


def _judged(entry: Claim | Statement) -> Row:
    """The row by all evidence that is here; paths in it are relative to `reports/`."""
    return build_row(entry, paths.published_evidence(), paths.reports(), paths.evidence())


def _evaluate(claim: Claim, options: Options) -> None:
    from segmodels import steps  # brings torch, which judging does not need

    run = run_of(claim)
    steps.ensure_inputs(run, options)
    steps.evaluate_run(run, evaluated_protocol(run, claim.protocol), options)


def _to_do(entry: Claim | Statement, judged: Row) -> bool:
    """What is blocked for everybody may be open for whoever has a copy of the images."""
    if judged.verdict.status == "blocked":
        return isinstance(entry, Claim) and obtainable(entry)
    return judged.verdict.status in _OPEN


def obtainable(claim: Claim) -> bool:
    """Whether a score can be counted here: its weights and images are here, or can be fetched."""
    if claim.weights is None or claim.metric not in SCORES:
        return False
    weights, dataset = load_weights_entry(claim.weights), load_dataset_entry(claim.dataset)
    if is_added(weights):
        weights = weights.replace(state="ok")
    if obstacles(claim, weights, None):
        return False
    return not obstacles(claim, weights, dataset) or _has_copy(dataset)


def _has_copy(dataset: DatasetEntry) -> bool:
    """Whether its images are on this machine, though not everybody can get them."""
    folder = paths.downloads(dataset.name)
    return registered(dataset.name) is not None or archives_at_hand(dataset, folder)


def run_of(claim: Claim) -> Run:
    """The run in `params/runs` that evaluates a claim's weights on its split.

    If there is none, one of the claim's name, which is written nowhere.

    Raises:
        SegmodelsError: a run of that name does something else.
    """
    for run in load_runs().values():
        if asks_for(run, claim):
            return run
    if claim.id in run_names():
        raise SegmodelsError(
            f"params/runs/{claim.id}.yaml does not evaluate claim {claim.id!r}: give it weights "
            f"{claim.weights}, dataset {claim.dataset}, split {claim.split} and protocols "
            f"[{claim.protocol}], or another name."
        )
    protocols, weights = (claim.protocol,), claim.weights
    run = Run(
        name=claim.id,
        model=claim.model,
        dataset=claim.dataset,
        split=claim.split,
        protocols=protocols,
        weights=weights,
    )
    return checked_run(f"claim {claim.id!r} cannot be run", run)


def evaluated_protocol(run: Run, protocol: str) -> str:
    """The protocol of the run under whose name evidence for one of its protocols is kept."""
    wanted = load_protocol(protocol).inference
    shared = (name for name in run.distinct_protocols() if load_protocol(name).inference == wanted)
    return next(shared)
