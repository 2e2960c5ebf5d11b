"""Bars, curves and robustness tables of the leaderboard page; its style sheet colours them."""

from __future__ import annotations

from html import escape

from segmodels.leaderboard.robustness import Curve, Robustness
from segmodels.leaderboard.rows import Row

_WIDTH, _HEIGHT, _PAD = 190, 22, 8
_SPANS = (0.5, 1.0, 2.0, 3.0, 5.0)


def common_span(rows: list[Row]) -> float:
    """Half the width of all interval bars, percentage points: one scale for every row.

    The smallest step that shows every interval and claim whole, at most 5: a row far off is
    cut with an arrow, so that it does not flatten all others.
    """
    reach = [
        abs(value - _centre(row))
        for row in rows
        if row.interval and row.verified is not None
        for value in (*row.interval, row.verified)
    ]
    return next((span for span in _SPANS if span >= max(reach, default=0)), _SPANS[-1])


def _centre(row: Row) -> float:
    """The claim stands in the middle, so below is left of it and better is right of it."""
    return row.claimed if row.claimed is not None else row.verified or 0.0


def interval_bar(row: Row, span: float) -> str:
    """Interval as a bar, measured value as a dot, claim as a tick; "" without numbers."""
    if row.interval is None or row.verified is None:
        return ""
    low, high, dot = (_x(v - _centre(row), span) for v in (*row.interval, row.verified))
    middle = _HEIGHT / 2
    tick = f'<line class="claim" x1="{_WIDTH / 2}" x2="{_WIDTH / 2}" y1="3" y2="{_HEIGHT - 3}"/>'
    parts = [
        f'<line class="axis" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="{middle}" y2="{middle}"/>',
        f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
        tick if row.claimed is not None else "",
        f'<circle class="dot" cx="{dot:.1f}" cy="{middle}" r="5"/>',
        _arrow(row.verified - _centre(row), span),
    ]
    label = f"measured {row.verified:.2f}, interval {row.interval[0]:.2f} to {row.interval[1]:.2f}"
    if row.claimed is not None:
        label = f"claimed {row.claimed:.{row.decimals}f}, {label}"
    return _svg(_WIDTH, _HEIGHT, label, "".join(parts))


def _x(offset: float, span: float) -> float:
    inside = max(-span, min(span, offset))
    return _WIDTH / 2 + inside / span * (_WIDTH / 2 - _PAD)


def _arrow(offset: float, span: float) -> str:
    """Points outwards where the measured value lies beyond the scale."""
    if abs(offset) <= span:
        return ""
    side = 1 if offset > 0 else -1
    base, tip = _WIDTH / 2 + side * (_WIDTH / 2 - 3), _WIDTH / 2 + side * (_WIDTH / 2 + 5)
    middle = _HEIGHT / 2
    points = f"{base},{middle - 5} {tip},{middle} {base},{middle + 5}"
    return f'<polygon class="edge" points="{points}"/>'


def class_bars(per_class: dict[str, float | None]) -> str:
    """One bar per class, 0 to 100 percent; a class that never occurs has no bar."""
    many = " many" if len(per_class) > 24 else ""
    items = "".join(_class_bar(name, iou) for name, iou in per_class.items())
    return f'<ul class="classes{many}">{items}</ul>'


def _class_bar(name: str, iou: float | None) -> str:
    fill = "" if iou is None else f'<span class="fill" style="width:{iou:.1f}%"></span>'
    value = "absent" if iou is None else f"{iou:.1f}"
    return (
        f'<li><span>{escape(name)}</span><span class="track">{fill}</span>'
        f'<span class="value">{value}</span></li>'
    )


_CURVE_WIDTH, _CURVE_HEIGHT = 120, 36


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
    first = {row.evidence: row for row in reversed(rows) if row.robustness}
    stressed = "".join(
        _robustness(row, row.robustness) for row in reversed(first.values()) if row.robustness
    )
    if not stressed:
        return ""
    intro = (
        "mIoU when images or parameters are disturbed, on the images and under the protocol of "
        "the row above. Kept is the share of the clean number that is left."
    )
    return f"<section><h2>Robustness</h2><p>{intro}</p>{stressed}</section>"


def _robustness(row: Row, found: Robustness) -> str:
    facts = [f"clean {found.clean:.2f}"]
    if found.mean is not None and found.ratio is not None:
        facts.append(f"mean over corruptions {found.mean:.2f}, {found.ratio:.0%} kept")
    kinds = dict.fromkeys(curve.kind for curve in found.curves)
    tables = "".join(
        _curve_table(kind, [c for c in found.curves if c.kind == kind], found) for kind in kinds
    )
    about = f"{row.dataset} {row.split}, {row.protocol_title or row.protocol}"
    return (
        f'<div class="strong"><span class="name">{escape(row.model)}</span>'
        f"<p>{escape(about)} &middot; {' &middot; '.join(facts)}</p>{tables}</div>"
    )


def _curve_table(kind: str, curves: list[Curve], found: Robustness) -> str:
    title = kind.replace("_", " ")
    levels = sorted({point.level for curve in curves for point in curve.points})
    strength = "severity" if kind == "corruption" else ""
    columns = "".join(f'<th scope="col">{strength} {level:g}</th>' for level in levels)
    lines = "".join(_curve_row(curve, levels, found) for curve in curves)
    return (
        f'<div class="scroll"><table class="curves"><thead><tr><th scope="col">{escape(title)}</th>'
        f'<th scope="col" class="line">mIoU</th>{columns}<th scope="col">mean</th>'
        f'<th scope="col">kept</th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _curve_row(curve: Curve, levels: list[float], found: Robustness) -> str:
    by_level = {point.level: f"{point.miou:.1f}" for point in curve.points}
    cells = "".join(f"<td>{by_level.get(level, '&ndash;')}</td>" for level in levels)
    mean = sum(p.miou for p in curve.points) / len(curve.points)
    kept = sum(p.ratio for p in curve.points) / len(curve.points)
    return (
        f'<tr><th scope="row">{escape(curve.name.replace("_", " "))}</th>'
        f'<td class="line">{_curve(curve, found)}</td>{cells}'
        f"<td>{mean:.1f}</td><td>{kept:.0%}</td></tr>"
    )


def _svg(width: int, height: int, label: str, body: str) -> str:
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{body}</svg>'
    )
