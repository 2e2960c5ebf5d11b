"""Bars: a measured interval around its claim, and IoU per class. Style sheets colour them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from segmodels.leaderboard.markup import bounds, digits, number
from segmodels.verdicts.row import Row

_WIDTH, _HEIGHT, _PAD = 320, 34, 12
_SPANS = (0.5, 1.0, 2.0, 3.0, 6.0)


def common_span(rows: list[Row]) -> float:
    """Half the width of all interval bars, percentage points: one scale for every row.

    The smallest step that shows every interval and claim whole, at most 6: a row far off is
    cut with an arrow, so that it does not flatten all others.
    """
    reach = [
        abs(value - _centre(row))
        for row in rows
        if row.verdict.interval and row.verdict.verified is not None and row.subject.unit == "%"
        for value in (*row.verdict.interval, row.verdict.verified)
    ]
    return next((span for span in _SPANS if span >= max(reach, default=0)), _SPANS[-1])


def places(row: Row, span: float) -> tuple[int, int, int] | None:
    """Low end, measured value and high end in thousandths of a bar; None without a bar.

    The claim stands at 500, so below is left of it and better is right of it. A value beyond
    the scale stands at 0 or 1000.
    """
    if row.verdict.interval is None or row.verdict.verified is None or row.subject.unit != "%":
        return None
    low, value, high = (row.verdict.interval[0], row.verdict.verified, row.verdict.interval[1])
    return _place(row, low, span), _place(row, value, span), _place(row, high, span)


def _centre(row: Row) -> float:
    return row.subject.claimed if row.subject.claimed is not None else row.verdict.verified or 0.0


def _place(row: Row, value: float, span: float) -> int:
    return round(500 + 500 * max(-1.0, min(1.0, (value - _centre(row)) / span)))


def interval_bar(row: Row, span: float) -> str:
    """Interval as a bar, measured value as a dot, claim as a tick; "" without numbers."""
    found = places(row, span)
    if found is None or row.verdict.verified is None:
        return ""
    low, dot, high = (_PAD + p / 1000 * (_WIDTH - 2 * _PAD) for p in found)
    middle, tick = _HEIGHT / 2, _WIDTH / 2
    parts = [
        f'<path class="axis" d="M{_PAD} {middle}H{_WIDTH - _PAD}"/>',
        f'<path class="range" d="M{low:.1f} {middle}H{high:.1f}"/>',
        f'<path class="claim" d="M{tick} 5V{_HEIGHT - 5}"/>'
        if row.subject.claimed is not None
        else "",
        f'<circle class="dot" cx="{dot:.1f}" cy="{middle}" r="5.5"/>',
        _arrow(row.verdict.verified - _centre(row), span),
    ]
    label = escape(_spoken(row))
    return (
        f'<svg class="interval {row.verdict.status}" role="img" aria-label="{label}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(parts)}</svg>'
    )


def _spoken(row: Row) -> str:
    measured = f"measured {number(row.verdict.verified, digits(row))}, interval {bounds(row)}"
    if row.subject.claimed is None:
        return measured
    return f"claimed {number(row.subject.claimed, row.subject.decimals)}, {measured}"


def _arrow(offset: float, span: float) -> str:
    """Points outwards where the measured value lies beyond the scale."""
    if abs(offset) <= span:
        return ""
    side = 1 if offset > 0 else -1
    tip, middle = _WIDTH / 2 + side * (_WIDTH / 2), _HEIGHT / 2
    base = tip - side * 8
    return f'<path class="edge" d="M{base} {middle - 6}L{tip} {middle}L{base} {middle + 6}Z"/>'


def class_bars(per_class: Mapping[str, float | None]) -> str:
    """One bar per class, 0 to 100 percent, best first; a class that never occurs comes last."""
    order = sorted(per_class.items(), key=lambda item: -1.0 if item[1] is None else item[1])
    return f'<ol class="classes">{"".join(_class_bar(*item) for item in reversed(order))}</ol>'


def _class_bar(name: str, iou: float | None) -> str:
    if iou is None:
        return f'<li><span>{escape(name)}</span><i></i><b class="absent">absent</b></li>'
    return f'<li><span>{escape(name)}</span><i style="--iou:{iou:.1f}%"></i><b>{iou:.1f}</b></li>'
