"""Curves and tables of robustness: mIoU over the strength of a disturbance."""

from __future__ import annotations

from dataclasses import dataclass

from segmodels.leaderboard.charts.robustness_pictures import robustness_pictures
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.templating import render_part
from segmodels.leaderboard.words import corruptions
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness, mean_share
from segmodels.verdicts.row import Row

_WIDTH, _HEIGHT, _EDGE = 120, 36, 3
#: What the strength of a kind of disturbance is called.
_STRENGTHS = {"corruption": "severity", "attack": "epsilon", "resolution": "factor"}
#: Models whose tables are open, and those whose tables are there; of others their pages have them.
_OPEN, _SHOWN = 3, 10


@dataclass(frozen=True)
class CurveLine:
    """One disturbance: a small curve, and its numbers.

    Attributes:
        name: of the disturbance.
        label: the curve in words.
        clean, zero: heights of the clean mIoU and of zero, pixels.
        path: places of the curve, pixels; it starts at the clean mIoU.
        points: one per strength of the table; None where it was not measured.
        mean: of the mIoU over its own strengths, percent.
        share: the part of the clean mIoU that is retained on average, or a dash.
    """

    name: str
    label: str
    clean: str
    zero: str
    path: list[tuple[str, str]]
    points: list[CurvePoint | None]
    mean: float
    share: str


@dataclass(frozen=True)
class CurveTable:
    """Disturbances of one kind: the strengths, and a line for each of them."""

    title: str
    strength: str
    levels: list[float]
    lines: list[CurveLine]


def robustness_section(rows: list[Row]) -> str:
    """Pictures that compare networks, then `curve_tables`; "" when nothing was disturbed."""
    return robustness_pictures(rows) + curve_tables(rows)


def curve_tables(rows: list[Row]) -> str:
    """Curves and tables, once per piece of evidence; "" when nothing was disturbed."""
    named = list(zip(rows, page_names(rows), strict=True))
    once = {row.evidence_key: (row, name) for row, name in reversed(named) if row.robustness}
    found = list(reversed(once.values()))
    if not found:
        return ""
    return render_part(
        "robustness.html",
        disturbed=[(r, _facts(r), _tables(r)) for r, _ in found[:_SHOWN]],
        others=[(row, _facts(row), name) for row, name in found[_SHOWN:]],
        opened=_OPEN,
        width=_WIDTH,
        height=_HEIGHT,
    )


def _facts(row: Row) -> list[str]:
    found = row.robustness
    if found is None:
        return []
    facts = [f"clean {found.clean:.2f}"]
    if found.clean == 0:
        facts.append("no share of a clean score of zero can be kept")
    if found.mean is not None:
        share = "" if found.ratio is None else f", {found.ratio:.0%} kept"
        facts.append(f"mean over {corruptions(found)}: {found.mean:.2f}{share}")
    return facts


def _tables(row: Row) -> list[CurveTable]:
    found = row.robustness
    if found is None:
        return []
    kinds = dict.fromkeys(curve.kind for curve in found.curves)
    return [_table(kind, [c for c in found.curves if c.kind == kind], found) for kind in kinds]


def _table(kind: str, curves: list[Curve], found: Robustness) -> CurveTable:
    levels = sorted({point.level for curve in curves for point in curve.points})
    return CurveTable(
        title=kind.replace("_", " "),
        strength=_STRENGTHS.get(kind.partition(",")[0], ""),
        levels=levels,
        lines=[_line(curve, levels, found) for curve in curves],
    )


def _line(curve: Curve, levels: list[float], found: Robustness) -> CurveLine:
    values = [point.miou for point in curve.points]
    clean = found.clean_of(curve)
    top = max([clean, *values]) or 1.0
    heights = [f"{_height(value, top):.1f}" for value in (clean, *values)]
    step = (_WIDTH - 2 * _EDGE) / max(1, len(values))
    by_level = {point.level: point for point in curve.points}
    share = mean_share(curve.points)
    return CurveLine(
        name=curve.name.replace("_", " "),
        label=f"{curve.name}: {', '.join(f'{value:.1f}' for value in values)}",
        clean=heights[0],
        zero=f"{_height(0, top):.1f}",
        path=[(f"{_EDGE + step * i:.1f}", height) for i, height in enumerate(heights)],
        points=[by_level.get(level) for level in levels],
        mean=sum(values) / len(values),
        share="\u2013" if share is None else f"{share:.0%}",
    )


def _height(value: float, top: float) -> float:
    """Pixels from above, of a scale from zero to `top`."""
    return _EDGE + (1 - value / top) * (_HEIGHT - 2 * _EDGE)
