"""Curves and tables of robustness: mIoU over the strength of a disturbance."""

from __future__ import annotations

from html import escape

from segmodels.metrics.robustness import Curve, Point, Robustness, mean_share
from segmodels.verdicts.row import Row

_CURVE_WIDTH, _CURVE_HEIGHT = 120, 36
#: Models shown at once; the others are one click away.
_OPEN = 3


def _curve(curve: Curve, robustness: Robustness) -> str:
    """mIoU over strength, from 0 to the clean number (dashed line), starting at clean."""
    top = max([robustness.clean, *(p.miou for p in curve.points)]) or 1.0
    heights = [_y(robustness.clean, top), *(_y(p.miou, top) for p in curve.points)]
    step = (_CURVE_WIDTH - 6) / max(1, len(heights) - 1)
    places = [(3 + step * i, y) for i, y in enumerate(heights)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle class="curve-dot" cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in places[1:]
    )
    y = f"{heights[0]:.1f}"
    clean = f'<line class="clean" x1="0" x2="{_CURVE_WIDTH}" y1="{y}" y2="{y}"/>'
    floor = f"{_y(0, top):.1f}"
    zero = f'<line class="zero" x1="0" x2="{_CURVE_WIDTH}" y1="{floor}" y2="{floor}"/>'
    values = ", ".join(f"{p.miou:.1f}" for p in curve.points)
    body = f'{zero}{clean}<polyline class="curve" points="{path}"/>{dots}'
    return _svg(_CURVE_WIDTH, _CURVE_HEIGHT, f"{curve.name}: {values}", body)


def _y(value: float, top: float) -> float:
    return 3 + (1 - value / top) * (_CURVE_HEIGHT - 6)


def robustness_section(rows: list[Row]) -> str:
    """Curves and tables, once per piece of evidence; "" when nothing was disturbed."""
    first = {row.evidence_key: row for row in reversed(rows) if row.robustness}
    stressed = "".join(
        _robustness(row, row.robustness, number < _OPEN)
        for number, row in enumerate(reversed(first.values()))
        if row.robustness
    )
    if not stressed:
        return ""
    intro = (
        "mIoU when images or parameters are disturbed, on the images and under the protocol of "
        "its row. Kept is the share of the clean number that is left."
    )
    return f'<section id="robustness"><h2>Robustness</h2><p>{intro}</p>{stressed}</section>'


def _robustness(row: Row, found: Robustness, opened: bool) -> str:
    facts = [f"clean {found.clean:.2f}"]
    if found.clean == 0:
        facts.append("no share of a clean score of zero can be kept")
    if found.mean is not None:
        kept = "" if found.ratio is None else f", {found.ratio:.0%} kept"
        facts.append(f"mean over corruptions {found.mean:.2f}{kept}")
    kinds = dict.fromkeys(curve.kind for curve in found.curves)
    tables = "".join(
        _curve_table(kind, [c for c in found.curves if c.kind == kind], found) for kind in kinds
    )
    about = f"{row.subject.dataset} {row.subject.split}, {row.protocol_title or row.protocol_name}"
    return (
        f'<details class="stress"{" open" if opened else ""}><summary>{escape(row.subject.model)} '
        f'<span class="soft">{escape(about)} &middot; {" &middot; ".join(facts)}</span></summary>'
        f"{tables}</details>"
    )


def _curve_table(kind: str, curves: list[Curve], found: Robustness) -> str:
    title = kind.replace("_", " ")
    levels = sorted({point.level for curve in curves for point in curve.points})
    strength = "severity" if kind == "corruption" else ""
    columns = "".join(f'<th scope="col">{strength} {level:g}</th>' for level in levels)
    lines = "".join(_curve_row(curve, levels, found) for curve in curves)
    return (
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(title)}"><table class="plain curves">'
        f'<caption class="hidden">{escape(title)}</caption>'
        f'<thead><tr><th scope="col">{escape(title)}</th>'
        f'<th scope="col" class="line">mIoU</th>{columns}<th scope="col">mean</th>'
        f'<th scope="col">kept</th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _curve_row(curve: Curve, levels: list[float], found: Robustness) -> str:
    by_level = {point.level: point for point in curve.points}
    cells = "".join(_point_cell(by_level.get(level)) for level in levels)
    mean = sum(p.miou for p in curve.points) / len(curve.points)
    share = mean_share(curve.points)
    kept = "&ndash;" if share is None else f"{share:.0%}"
    return (
        f'<tr><th scope="row">{escape(curve.name.replace("_", " "))}</th>'
        f'<td class="line">{_curve(curve, found)}</td>{cells}'
        f"<td>{mean:.1f}</td><td>{kept}</td></tr>"
    )


def _point_cell(point: Point | None) -> str:
    """An mIoU; its interval comes up when it is pointed at."""
    if point is None:
        return "<td>&ndash;</td>"
    ends = point.interval
    title = f' title="interval {ends[0]:.1f} to {ends[1]:.1f}"' if ends else ""
    return f"<td{title}>{point.miou:.1f}</td>"


def _svg(width: int, height: int, label: str, body: str) -> str:
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{body}</svg>'
    )
