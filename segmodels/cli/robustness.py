"""`segmodels robustness`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from segmodels.cli.common import Add
from segmodels.errors import SegmodelsError, pick

if TYPE_CHECKING:
    from segmodels.metrics.degradation import Degradation
    from segmodels.metrics.robustness import Robustness

_HEAD = f"{'mIoU':>7} {'kept':>7} {'CD':>7} {'rCD':>7}"


def add(commands: Add) -> None:
    """Add it."""
    table = commands(
        "robustness", _robustness, "what corruptions cost runs that were measured under them"
    )
    beside = "the run whose errors are 100 %% (CD and rCD of Kamann and Rother)"
    table.add_argument("reference", metavar="RUN", help=beside)
    more = "every corruption of every run, not the mean alone"
    table.add_argument("--corruptions", action="store_true", help=more)


def _robustness(chosen: argparse.Namespace) -> int:
    from segmodels.metrics.degradation import degradations

    measured = _measured()
    if not measured:
        raise SegmodelsError(
            "no run was measured under corruptions yet: name a suite of params/robustness.yaml in "
            "'stress' of a run, then dvc repro."
        )
    dataset, reference = pick("run measured under corruptions", chosen.reference, measured)
    found = {
        run: degradations(robustness, reference)
        for run, (images, robustness) in measured.items()
        if images == dataset
    }
    print(f"{dataset}, beside {chosen.reference}; percent")
    print("\n".join(_lines(found, every=chosen.corruptions)))
    return 0


def _measured() -> dict[str, tuple[str, Robustness]]:
    """Dataset and curves by run, of those under a protocol that has evidence of corruptions."""
    from segmodels.leaderboard import rows_here

    measured: dict[str, tuple[str, Robustness]] = {}
    for row in rows_here():
        summary = row.evidence and row.evidence.robustness
        if row.run and summary and any(curve.kind == "corruption" for curve in summary.curves):
            measured.setdefault(row.run, (f"{row.subject.dataset} {row.subject.split}", summary))
    return measured


def _lines(found: dict[str, list[Degradation]], *, every: bool) -> Iterable[str]:
    """A table; runs that keep most first."""
    ranked = sorted((one for one in found if found[one]), key=lambda one: -found[one][-1].miou)
    width = max(map(len, ranked), default=0) + (20 if every else 0)
    yield f"{'':{width}} {_HEAD}"
    for run in ranked:
        for one in found[run] if every else found[run][-1:]:
            name = f"{run} {one.corruption}" if every else run
            share = None if one.kept is None else 100 * one.kept
            numbers = " ".join(_number(value) for value in (one.miou, share, one.cd, one.rcd))
            yield f"{name:{width}} {numbers}"


def _number(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.2f}"
