"""`segmodels attacks`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from segmodels.cli.common import Add
from segmodels.errors import SegmodelsError, pick

if TYPE_CHECKING:
    from segmodels.metrics.robustness import Robustness


def add(commands: Add) -> None:
    """Add it."""
    text = "what attacks left of a run, and whether the numbers are to be doubted"
    commands("attacks", _attacks, text).add_argument(
        "run", metavar="RUN", help="of params/runs; `segmodels list runs` lists them"
    )


def _attacks(chosen: argparse.Namespace) -> int:
    from segmodels.metrics.attack_doubts import attack_doubts

    measured = _measured()
    if not measured:
        raise SegmodelsError(
            "no run was attacked yet: name a suite of params/robustness.yaml that has 'attacks' in "
            "'robustness' of a run, then dvc repro."
        )
    found = pick("attacked run", chosen.run, measured)
    print("\n".join(_table(found)))
    doubts = attack_doubts(found)
    print("\n".join(doubts) if doubts else "No sign that gradients are masked.")
    return 0


def _measured() -> dict[str, Robustness]:
    """Curves by run, of the first protocol that has evidence of attacks."""
    from segmodels.leaderboard import rows_here

    measured: dict[str, Robustness] = {}
    for row in rows_here():
        summary = row.evidence and row.evidence.robustness
        if row.run and summary and any(curve.kind == "attack" for curve in summary.curves):
            measured.setdefault(row.run, summary)
    return measured


def _table(found: Robustness) -> Iterator[str]:
    """mIoU by attack and bound, percent; attacks in the order of their names."""
    curves = [curve for curve in found.curves if curve.kind == "attack"]
    levels = sorted({point.level for curve in curves for point in curve.points})
    width = max(len(curve.name) for curve in curves)
    yield f"mIoU, clean {found.clean:.2f}; bounds in grey levels"
    yield f"{'':{width}} {'clean':>7}" + "".join(f" {level:7g}" for level in levels)
    for curve in curves:
        at = {point.level: f"{point.miou:7.2f}" for point in curve.points}
        cells = "".join(f" {at.get(level, '-'):>7}" for level in levels)
        yield f"{curve.name:{width}} {found.clean_of(curve):7.2f}{cells}"
