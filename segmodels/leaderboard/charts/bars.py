"""Bars: a measured interval around its claim, and IoU per class."""

from __future__ import annotations

from collections.abc import Mapping

from segmodels.leaderboard.templating import render_part
from segmodels.leaderboard.words import bounds, digits, number
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
    return render_part(
        "interval.svg",
        **{"width": _WIDTH, "height": _HEIGHT, "pad": _PAD, "middle": _HEIGHT / 2},
        **{"low": low, "dot": dot, "high": high},
        status=row.verdict.status,
        label=_spoken(row),
        claimed=row.subject.claim is not None,
        edge=_edge(row.verdict.verified - _centre(row), span),
    )


def _spoken(row: Row) -> str:
    subject = row.subject
    measured = f"measured {number(row.verdict.verified, digits(row))}, interval {bounds(row)}"
    if subject.claimed is None:
        return measured
    return f"claimed {number(subject.claimed, subject.decimals)}, {measured}"


def _edge(offset: float, span: float) -> tuple[float, float] | None:
    """Base and tip of an arrow outwards, where the measured value lies beyond the scale."""
    if abs(offset) <= span:
        return None
    side = 1 if offset > 0 else -1
    tip = _WIDTH / 2 + side * (_WIDTH / 2)
    return tip - side * 8, tip


def best_first(per_class: Mapping[str, float | None]) -> list[tuple[str, float | None]]:
    """Classes by IoU; those that never occur come last."""
    order = sorted(per_class.items(), key=lambda item: -1.0 if item[1] is None else item[1])
    return order[::-1]
