"""Claimed against verified, the gap on its own, and costs, as SVG figures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from segmodels.leaderboard.markup import (
    bounds,
    digits,
    metric,
    number,
    page_names,
    side,
    signed,
    tone,
)
from segmodels.verdicts.row import Row

_WIDTH, _HEIGHT = 440, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 42
#: Links and titles for so many points; past that a page would be points and little else.
_LINKED = 1500
_MARKS = {
    "better": "m0-5.5 5 9h-10z",
    "below": "m0 5.5 5-9h-10z",
    "inconclusive": "m0-5.5 5.5 5.5-5.5 5.5-5.5-5.5z",
    "partial": "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
}
_MARK = "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z"


@dataclass(frozen=True)
class Point:
    """A row with both numbers, in its unit. `index` is its place in the table."""

    index: int
    row: Row
    page: str
    claimed: float
    verified: float
    low: float
    high: float

    @property
    def gap(self) -> float:
        """Verified minus claimed."""
        return self.verified - self.claimed

    @property
    def share(self) -> float:
        """The gap in percent of the claimed number."""
        return 100 * self.gap / self.claimed


@dataclass(frozen=True)
class Axis:
    """A range of numbers laid over a range of pixels, by their logarithm if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Pixels; a value outside stands at the edge."""
        low, high, inside = self.low, self.high, min(self.high, max(self.low, value))
        if self.log:
            low, high, inside = (math.log10(v) for v in (low, high, inside))
        return self.start + (inside - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values, few enough to be read."""
        if self.log:
            tens = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [v for t in tens if self.low <= (v := 10.0**t) <= self.high]
        step = next(s for s in _STEPS if (self.high - self.low) / s <= 9)
        first = -(-self.low // step)
        count = int((self.high - first * step) / step + 1e-9) + 1
        return [(first + i) * step for i in range(count)]


_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def points(rows: list[Row], percent: bool = True) -> list[Point]:
    """Rows that have both a claimed and a measured number.

    Args:
        rows: in the order of the page's table.
        percent: rows in percent, or all others.
    """
    found = []
    for index, (row, page) in enumerate(zip(rows, page_names(rows), strict=True)):
        if (
            not row.subject.claimed
            or row.verdict.verified is None
            or (row.subject.unit == "%") != percent
        ):
            continue
        low, high = row.verdict.interval or (row.verdict.verified, row.verdict.verified)
        found.append(Point(index, row, page, row.subject.claimed, row.verdict.verified, low, high))
    return found


def scatter_section(rows: list[Row]) -> str:
    """All figures with their captions; "" when no claim was measured.

    Args:
        rows: in the order of the page's table.
    """
    scores, costs = points(rows), points(rows, percent=False)
    drawn = [(figure(found), text) for found, figure, text in _plan(scores, costs) if found]
    if not drawn:
        return ""
    figures = "".join(
        f"<figure>{svg}<figcaption><b>{letter}</b> {text}</figcaption></figure>"
        for letter, (svg, text) in zip("abc", drawn, strict=False)
    )
    return (
        '<section id="scatter"><h2>Claimed against verified</h2>'
        f'<div class="figures">{figures}</div>'
        '<p class="note">Every mark is a row of the table and leads to its page; rows that the '
        "filters leave out are faint, and a mark at the very edge lies beyond it.</p></section>"
    )


def _plan(
    scores: list[Point], costs: list[Point]
) -> list[tuple[list[Point], Callable[[list[Point]], str], str]]:
    return [
        (
            scores,
            _both,
            "Verified over claimed, percent. On the line both are the same; upright bars are "
            "intervals over images.",
        ),
        (scores, _gaps, "The same rows: gap in percentage points over the claimed number."),
        (
            costs,
            _costs,
            "Parameters and operations: gap in percent of the claimed number, over that number. "
            "Below the line fewer were counted than printed, above it more; neither is better.",
        ),
    ]


def _both(found: list[Point]) -> str:
    values = [v for p in found for v in (p.claimed, p.verified)]
    low, high = max(0.0, min(values) - 3), min(100.0, max(values) + 3)
    x = Axis(low, high, _LEFT, _WIDTH - _RIGHT)
    y = Axis(low, high, _HEIGHT - _BOTTOM, _TOP)
    line = f'<path class="same" d="M{_LEFT} {_HEIGHT - _BOTTOM}L{_WIDTH - _RIGHT} {_TOP}"/>'
    marks = _marks(found, x, y, lambda p: (p.verified, p.low, p.high))
    body = _frame(x, y, "claimed", "verified") + line + marks
    return _figure("Verified over claimed", found, body)


def _gaps(found: list[Point]) -> str:
    claims = [p.claimed for p in found]
    reach = min(10.0, max(0.5, 1.15 * max(max(abs(p.gap), _half(p)) for p in found)))
    x = Axis(max(0.0, min(claims) - 3), min(100.0, max(claims) + 3), _LEFT, _WIDTH - _RIGHT)
    y = Axis(-reach, reach, _HEIGHT - _BOTTOM, _TOP)
    line = f'<path class="same" d="M{_LEFT} {y.at(0):.1f}H{_WIDTH - _RIGHT}"/>'
    marks = _marks(found, x, y, lambda p: (p.gap, p.low - p.claimed, p.high - p.claimed))
    return _figure("Gap over claimed", found, _frame(x, y, "claimed", "gap") + line + marks)


def _costs(found: list[Point]) -> str:
    claims = [p.claimed for p in found]
    reach = min(25.0, max(0.5, 1.15 * max(abs(p.share) for p in found)))
    x = Axis(min(claims) / 1.5, max(claims) * 1.5, _LEFT, _WIDTH - _RIGHT, log=True)
    y = Axis(-reach, reach, _HEIGHT - _BOTTOM, _TOP)
    line = f'<path class="same" d="M{_LEFT} {y.at(0):.1f}H{_WIDTH - _RIGHT}"/>'
    marks = _marks(found, x, y, lambda p: (p.share, p.share, p.share))
    return _figure("Gap of costs", found, _frame(x, y, "claimed", "gap, %") + line + marks)


def _half(point: Point) -> float:
    return max(abs(point.low - point.claimed), abs(point.high - point.claimed))


def _frame(x: Axis, y: Axis, across: str, up: str) -> str:
    """Ticks, grid and the names of the axes."""
    below = "".join(
        f'<path class="grid" d="M{x.at(t):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x.at(t):.1f}" y="{_HEIGHT - _BOTTOM + 16}" class="mid">{t:g}</text>'
        for t in (round(t, 4) for t in x.ticks())
    )
    beside = "".join(
        f'<path class="grid" d="M{_LEFT} {y.at(t):.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{y.at(t) + 4:.1f}" class="end">{_tick(t, up)}</text>'
        for t in (round(t, 4) for t in y.ticks())
    )
    names = (
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" class="mid">{across}</text>'
        f'<text transform="translate(12 {(_TOP + _HEIGHT - _BOTTOM) / 2})rotate(-90)" '
        f'class="mid">{up}</text>'
    )
    return below + beside + names


def _tick(value: float, axis: str) -> str:
    if not axis.startswith("gap"):
        return f"{value:g}"
    return ("+" if value > 0 else "\u2212" if value < 0 else "") + f"{abs(value):g}"


def _marks(
    found: list[Point], x: Axis, y: Axis, heights: Callable[[Point], tuple[float, float, float]]
) -> str:
    if len(found) > _LINKED:
        return _crowd(found, x, y, heights)
    return "".join(_mark(p, x, y, heights(p)) for p in reversed(found))


def _mark(point: Point, x: Axis, y: Axis, height: tuple[float, float, float]) -> str:
    row, across = point.row, x.at(point.claimed)
    middle, low, high = (y.at(h) for h in height)
    mark = _MARKS.get(row.verdict.status, _MARK)
    return (
        f'<a href="claims/{escape(point.page)}.html" tabindex="-1" data-row="{point.index}" '
        f'class="{escape(tone(row))}"><title>{escape(_title(row))}</title>'
        f'<path class="range" d="M{across:.1f} {low:.1f}V{high:.1f}"/>'
        f'<path class="mark" d="M{across:.1f} {middle:.1f}{mark}"/></a>'
    )


def _title(row: Row) -> str:
    """What comes up when a mark is pointed at."""
    subject, verdict = row.subject, row.verdict
    interval = f" ({bounds(row)})" if verdict.interval else ""
    return (
        f"{subject.model}, {subject.dataset} {subject.split}, {metric(row)}, {row.protocol_name}: "
        f"claimed {number(subject.claimed, subject.decimals)}, "
        f"verified {number(verdict.verified, digits(row))}{interval}, "
        f"gap {signed(verdict.gap, digits(row))}, {side(row) or verdict.status}"
    )


def _crowd(
    found: list[Point], x: Axis, y: Axis, heights: Callable[[Point], tuple[float, float, float]]
) -> str:
    """One path of dots per status, without links."""
    dots: dict[str, list[str]] = defaultdict(list)
    for p in found:
        dots[p.row.verdict.status].append(f"M{x.at(p.claimed):.1f} {y.at(heights(p)[0]):.1f}h0")
    return "".join(
        f'<path class="crowd {escape(status)}" d="{"".join(parts)}"/>'
        for status, parts in sorted(dots.items())
    )


def _figure(name: str, found: list[Point], body: str) -> str:
    label = (
        f"{name} for {len(found)} rows; gaps from {signed(min(p.gap for p in found))} to "
        f"{signed(max(p.gap for p in found))}. The table above holds every number."
    )
    return (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{body}</svg>'
    )
