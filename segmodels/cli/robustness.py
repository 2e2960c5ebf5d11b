"""`segmodels robustness`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from segmodels.cli.common import Add
from segmodels.errors import SegmodelsError, pick

if TYPE_CHECKING:
    from segmodels.metrics.comparable import Comparable, Measured
    from segmodels.metrics.degradation import Degradation
    from segmodels.metrics.ranking import Ranked
    from segmodels.metrics.robustness import CurvePoint, Robustness

_CORRUPTIONS = "corruption", "corruptions"
_PROTOCOL = "protocol"
_HEAD = f"{'mIoU':>7} {'kept':>7} {'CD':>7} {'rCD':>7} {'interval':>14} {'rank':>5}"


def add(commands: Add) -> None:
    """Add it."""
    table = commands(
        "robustness", _robustness, "what corruptions cost runs that were measured under them"
    )
    beside = "the run whose errors are 100 %% (CD and rCD of Kamann and Rother)"
    table.add_argument("reference", metavar="RUN", help=beside)
    shown = table.add_mutually_exclusive_group()
    more = "every corruption of every run, not the mean alone"
    shown.add_argument("--corruptions", action="store_true", help=more)
    sizes = "instead, what other test resolutions cost: mIoU, and the share of it that is kept"
    shown.add_argument("--resolutions", action="store_true", help=sizes)


def _robustness(chosen: argparse.Namespace) -> int:
    kind, told = ("resolution", "other resolutions") if chosen.resolutions else _CORRUPTIONS
    measured = _measured(kind)
    if not measured:
        raise SegmodelsError(
            f"no run was measured under {told} yet: name a suite of params/robustness.yaml "
            "in 'robustness' of a run, then dvc repro."
        )
    dataset, _ = pick(f"run measured under {told}", chosen.reference, measured)
    found = {run: one for run, (images, one) in measured.items() if images == dataset}
    if chosen.resolutions:
        print(f"{dataset}, mIoU by test resolution (percent of the clean mIoU)")
        print("\n".join(_sizes(chosen.reference, found)))
    else:
        print(f"{dataset}, beside {chosen.reference}; percent")
        print("\n".join(_corruptions(chosen.reference, found, every=chosen.corruptions)))
    return 0


def _measured(kind: str) -> dict[str, tuple[str, list[Measured]]]:
    """Dataset and curves by run, by each protocol that has evidence of such conditions."""
    from segmodels.leaderboard import rows_here
    from segmodels.metrics.comparable import Measured
    from segmodels.protocols.protocol import Protocol

    measured: dict[str, tuple[str, list[Measured]]] = {}
    for row in rows_here():
        summary = row.evidence and row.evidence.robustness
        if not row.run or not summary or not isinstance(row.protocol, Protocol):
            continue
        if any(curve.kind == kind for curve in summary.curves):
            dataset = f"{row.subject.dataset} {row.subject.split}"
            known = measured.setdefault(row.run, (dataset, []))
            if known[0] == dataset:
                known[1].append(Measured(row.protocol, summary))
    return measured


def _ranked(groups: Sequence[Comparable]) -> list[dict[str, Ranked]]:
    """The runs of each group, with the ranks they may have in it."""
    from segmodels.core import paths
    from segmodels.verdicts.project import load_project
    from segmodels.verdicts.ranking import rank_runs

    project = load_project(paths.published_evidence(), paths.reports(), paths.evidence())
    return [rank_runs(project, one.networks, one.protocol, one.conditions) for one in groups]


def _sizes(reference: str, measured: Mapping[str, Sequence[Measured]]) -> Iterable[str]:
    """A table for each protocol; that of the reference first."""
    from segmodels.metrics.comparable import by_protocol

    for group in by_protocol(reference, measured):
        protocol = next(iter(group.values())).protocol
        yield ""
        yield f"{protocol.name} ({protocol.title})"
        yield from _resolutions({run: one.robustness for run, one in group.items()})


def _resolutions(found: dict[str, Robustness]) -> Iterable[str]:
    """A table of factors; the clean mIoU stands at 1 in the windows of the protocol."""
    from segmodels.metrics.robustness import CurvePoint

    lines: dict[tuple[str, str], dict[float, CurvePoint]] = {}
    for run, robustness in sorted(found.items()):
        lines[run, _PROTOCOL] = {1.0: CurvePoint(1.0, robustness.clean, 1.0)}
        for curve in (one for one in robustness.curves if one.kind == "resolution"):
            windows = _windows(curve.name)
            clean = CurvePoint(1.0, robustness.clean_of(curve), 1.0)
            begin = {1.0: clean} if windows.startswith(_PROTOCOL) else {}
            lines[run, windows] = begin | {point.level: point for point in curve.points}
    levels = sorted({level for points in lines.values() for level in points})
    width = max(len(run) + len(windows) for run, windows in lines) + 1
    yield f"{'windows':>{width}} " + " ".join(f"{f'x{level:g}':>13}" for level in levels)
    for run, windows in sorted(lines):
        cells = (_cell(lines[run, windows].get(level)) for level in levels)
        yield f"{run} {windows:>{width - len(run) - 1}} " + " ".join(cells)


def _windows(name: str) -> str:
    """Of the name of a curve: `resolution` or `resolution, windows whole`, and of which images."""
    fields = name.split(", ")[1:]
    windows = [one.removeprefix("windows ") for one in fields if one.startswith("windows ")]
    return ", ".join([*(windows or [_PROTOCOL]), *(one for one in fields if "windows" not in one)])


def _cell(point: CurvePoint | None) -> str:
    if point is None:
        return f"{'-':>13}"
    kept = "" if point.ratio is None else f" ({100 * point.ratio:.1f})"
    return f"{f'{point.miou:.2f}{kept}':>13}"


def _corruptions(
    reference: str, measured: Mapping[str, Sequence[Measured]], *, every: bool
) -> Iterable[str]:
    """A table for each group of runs that can be compared; that of the reference first."""
    from segmodels.metrics.comparable import comparable

    groups = comparable(reference, measured)
    width = max(len(run) for run in measured) + (20 if every else 0)
    for group, ranked in zip(groups, _ranked(groups), strict=True):
        yield ""
        yield _heading(group)
        yield f"{'':{width}} {_HEAD}"
        yield from _table(group, ranked, width, every=every)


def _heading(group: Comparable) -> str:
    """By which protocol the runs of a group were counted, and under what."""
    from segmodels.leaderboard.words import corruptions

    what = corruptions(next(iter(group.networks.values())))
    number = f"{len(group.conditions)} condition{'s' if len(group.conditions) > 1 else ''}"
    return f"{group.protocol.name} ({group.protocol.title}): {what}; {number}"


def _table(
    group: Comparable, ranked: Mapping[str, Ranked], width: int, *, every: bool
) -> Iterable[str]:
    """Lines of one group; runs of the highest mIoU first."""
    from segmodels.metrics.degradation import degradations

    found = {name: degradations(one, group.reference) for name, one in group.networks.items()}
    for run in sorted(found, key=lambda one: -found[one][-1].miou):
        *single, mean = found[run]
        for one in single if every else ():
            yield f"{f'{run} {one.corruption}':{width}} {_numbers(one)}"
        name = f"{run} {mean.corruption}" if every else run
        yield f"{name:{width}} {_numbers(mean)} {_rank(ranked.get(run))}"


def _numbers(one: Degradation) -> str:
    share = None if one.kept is None else 100 * one.kept
    return " ".join(_number(value) for value in (one.miou, share, one.cd, one.rcd))


def _rank(found: Ranked | None) -> str:
    """The interval of the mIoU, and the ranks that are left: `2-4`, or `1` where it is certain."""
    if found is None:
        return f"{'-':>14} {'-':>5}"
    low, high = found.interval
    interval = "-" if math.isnan(low) else f"{low:.2f}-{high:.2f}"
    return f"{interval:>14} {'-'.join(map(str, dict.fromkeys(found.ranks))):>5}"


def _number(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.2f}"
