"""Claimed against verified, the gap on its own, and costs, as diagrams."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from segmodels.leaderboard.charts.diagram import Diagram, Mark
from segmodels.leaderboard.charts.pair import Pair, pairs
from segmodels.leaderboard.charts.scale import Scale
from segmodels.leaderboard.templating import render_part
from segmodels.leaderboard.words import bounds, digits, metric, number, side, signed, tone
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

#: Height, low end and high end of a pair, in the numbers of the upright axis.
Heights = Callable[[Pair], tuple[float, float, float]]


def scatter_section(rows: list[Row]) -> str:
    """All figures with their captions; "" when no claim was measured.

    Args:
        rows: in the order of the page's table.
    """
    scores, costs = pairs(rows), pairs(rows, percent=False)
    figures = [*_of_scores(scores), *_of_costs(costs)]
    size = {"width": _WIDTH, "height": _HEIGHT}
    edges = {"left": _LEFT, "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM}
    return render_part("scatter.html", figures=figures, **size, **edges) if figures else ""


def _of_scores(found: list[Pair]) -> Iterator[Diagram]:
    if found:
        yield _both(found)
        yield _gaps(found)


def _both(found: list[Pair]) -> Diagram:
    values = [v for p in found for v in (p.claimed, p.verified)]
    low, high = max(0.0, min(values) - 3), min(100.0, max(values) + 3)
    caption = (
        "Verified over claimed, percent. On the line both are the same; upright bars are "
        "intervals over images."
    )
    return _figure(
        found,
        ("Verified over claimed", caption, "verified"),
        Scale(low, high, _LEFT, _WIDTH - _RIGHT),
        Scale(low, high, _HEIGHT - _BOTTOM, _TOP),
        lambda p: (p.verified, p.low, p.high),
        f"M{_LEFT} {_HEIGHT - _BOTTOM}L{_WIDTH - _RIGHT} {_TOP}",
    )


def _gaps(found: list[Pair]) -> Diagram:
    claims = [p.claimed for p in found]
    reach = min(10.0, max(0.5, 1.15 * max(max(abs(p.gap), _half(p)) for p in found)))
    caption = "The same rows: gap in percentage points over the claimed number."
    return _figure(
        found,
        ("Gap over claimed", caption, "gap"),
        Scale(max(0.0, min(claims) - 3), min(100.0, max(claims) + 3), _LEFT, _WIDTH - _RIGHT),
        Scale(-reach, reach, _HEIGHT - _BOTTOM, _TOP),
        lambda p: (p.gap, p.low - p.claimed, p.high - p.claimed),
    )


def _of_costs(found: list[Pair]) -> Iterator[Diagram]:
    if not found:
        return
    claims = [p.claimed for p in found]
    reach = min(25.0, max(0.5, 1.15 * max(abs(p.share) for p in found)))
    caption = (
        "Parameters and operations: gap in percent of the claimed number, over that number. "
        "Below the line fewer were counted than printed, above it more; neither is better."
    )
    yield _figure(
        found,
        ("Gap of costs", caption, "gap, %"),
        Scale(min(claims) / 1.5, max(claims) * 1.5, _LEFT, _WIDTH - _RIGHT, log=True),
        Scale(-reach, reach, _HEIGHT - _BOTTOM, _TOP),
        lambda p: (p.share, p.share, p.share),
    )


def _half(pair: Pair) -> float:
    return max(abs(pair.low - pair.claimed), abs(pair.high - pair.claimed))


def _figure(
    found: list[Pair],
    words: tuple[str, str, str],
    x: Scale,
    y: Scale,
    heights: Heights,
    line: str = "",
) -> Diagram:
    """A figure of some pairs.

    Args:
        found: what is drawn.
        words: what it is, what stands below it, and the name of the upright axis.
        x, y: the axes.
        heights: where a pair stands on the upright axis.
        line: where both numbers are the same (default: at a height of zero).
    """
    what, caption, up = words
    gaps = [pair.gap for pair in found]
    label = (
        f"{what} for {len(found)} rows; gaps from {signed(min(gaps))} to "
        f"{signed(max(gaps))}. The table above holds every number."
    )
    crowd = len(found) > _LINKED
    return Diagram(
        label=label,
        caption=caption,
        up=up,
        below=[(f"{x.at(t):.1f}", f"{t:g}") for t in _round(x)],
        beside=[(f"{y.at(t):.1f}", f"{y.at(t) + 4:.1f}", _tick(t, up)) for t in _round(y)],
        line=line or f"M{_LEFT} {y.at(0):.1f}H{_WIDTH - _RIGHT}",
        marks=[] if crowd else [_mark(pair, x, y, heights(pair)) for pair in reversed(found)],
        crowds=_crowds(found, x, y, heights) if crowd else [],
    )


def _round(axis: Scale) -> list[float]:
    return [round(tick, 4) for tick in axis.ticks()]


def _tick(value: float, axis: str) -> str:
    if not axis.startswith("gap"):
        return f"{value:g}"
    return ("+" if value > 0 else "\u2212" if value < 0 else "") + f"{abs(value):g}"


def _mark(pair: Pair, x: Scale, y: Scale, height: tuple[float, float, float]) -> Mark:
    middle, low, high = (f"{y.at(h):.1f}" for h in height)
    return Mark(
        page=pair.page,
        index=pair.index,
        tone=tone(pair.row),
        title=_title(pair.row),
        across=f"{x.at(pair.claimed):.1f}",
        low=low,
        middle=middle,
        high=high,
        shape=_MARKS.get(pair.row.verdict.status, _MARK),
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


def _crowds(found: list[Pair], x: Scale, y: Scale, heights: Heights) -> list[tuple[str, str]]:
    """One path of dots per verdict."""
    dots: dict[str, list[str]] = defaultdict(list)
    for p in found:
        dots[p.row.verdict.status].append(f"M{x.at(p.claimed):.1f} {y.at(heights(p)[0]):.1f}h0")
    return [(status, "".join(parts)) for status, parts in sorted(dots.items())]
