"""What the protocol alone does to a number: one checkpoint, counted in several ways."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from html import escape

from segmodels.leaderboard.markup import number, page_names, signed
from segmodels.verdicts.row import Row

#: Checkpoints shown at once; the others are one click away.
_OPEN = 8


@dataclass(frozen=True)
class Gap:
    """Rows of one checkpoint on one dataset: the claimed protocol first, else the highest."""

    rows: tuple[tuple[Row, str], ...]

    @property
    def values(self) -> list[float]:
        """Measured mIoU, percent."""
        return [row.verdict.verified or 0.0 for row, _ in self.rows]

    @property
    def spread(self) -> float:
        """Highest minus lowest, percentage points."""
        return max(self.values) - min(self.values)


def protocol_gaps(rows: list[Row]) -> list[Gap]:
    """Checkpoints measured under at least two protocols, widest spread first."""
    groups: dict[tuple[object, ...], dict[str, tuple[Row, str]]] = defaultdict(dict)
    for row, page in zip(rows, page_names(rows), strict=True):
        evidence, weights = row.evidence, row.weights.sha256
        if row.subject.metric == "mIoU" and row.verdict.verified is not None and weights:
            seen = evidence and (evidence.fingerprint, evidence.images, evidence.evaluator)
            key = (weights, row.subject.dataset, row.subject.split, seen)
            groups[key].setdefault(row.protocol_name, (row, page))
    found = [Gap(tuple(sorted(g.values(), key=_first))) for g in groups.values() if len(g) > 1]
    return sorted(found, key=lambda gap: (-gap.spread, gap.rows[0][1]))


def _first(item: tuple[Row, str]) -> tuple[bool, float, str]:
    row, page = item
    return row.subject.claimed is None, -(row.verdict.verified or 0.0), page


def gap_section(rows: list[Row]) -> str:
    """One small table per checkpoint; "" when none was counted twice."""
    found = protocol_gaps(rows)
    if not found:
        return ""
    more = "".join(map(_table, found[_OPEN:]))
    rest = f"<details><summary>{len(found) - _OPEN} more</summary>{more}</details>" if more else ""
    return (
        '<section id="protocols"><h2>What the protocol does to a number</h2>'
        "<p>Each block is one checkpoint on one set of images, counted under several protocols. "
        "The difference is to the first line, the claimed protocol where there is one; "
        "the tick is the claimed number.</p>"
        f'<div class="gaps">{"".join(map(_table, found[:_OPEN]))}</div>{rest}</section>'
    )


def _table(gap: Gap) -> str:
    first = gap.rows[0][0]
    title = f"{first.subject.model}, {first.subject.dataset} {first.subject.split}"
    known = [
        *gap.values,
        *(r.subject.claimed for r, _ in gap.rows if r.subject.claimed is not None),
    ]
    low, high = min(known), max(known)
    lines = "".join(_line(row, page, first, low, high) for row, page in gap.rows)
    return (
        f'<table class="plain checkpoint"><caption>{escape(title)} '
        f'<span class="soft">{gap.spread:.2f} points apart</span></caption><thead><tr>'
        '<th scope="col">Protocol</th><th scope="col" class="num">mIoU</th>'
        '<th scope="col" class="num">Difference</th>'
        f'<th scope="col" class="strip">{low:.1f} to {high:.1f}</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def _line(row: Row, page: str, first: Row, low: float, high: float) -> str:
    difference = (row.verdict.verified or 0.0) - (first.verdict.verified or 0.0)
    shown = "" if row is first else signed(difference)
    about = f'<span class="soft">{escape(row.protocol_title)}</span>' if row.protocol_title else ""
    return (
        f'<tr><th scope="row"><a href="claims/{escape(page)}.html">{escape(row.protocol_name)}</a>'
        f'{about}</th><td class="num">{number(row.verdict.verified, 2)}</td>'
        f'<td class="num">{shown}</td>'
        f'<td class="strip">{_strip(row, low, high)}</td></tr>'
    )


def _strip(row: Row, low: float, high: float) -> str:
    """A dot for the measured and a tick for the claimed number on the axis of the checkpoint."""

    def place(value: float | None) -> str:
        return f"{100 * ((value or 0.0) - low) / ((high - low) or 1.0):.1f}%"

    dot = place(row.verdict.verified)
    tick = "" if row.subject.claimed is None else f";--tick:{place(row.subject.claimed)}"
    return (
        f'<span class="bar {escape(row.verdict.status)}{" ticked" if tick else ""}" '
        f'style="--low:{dot};--dot:{dot};--high:{dot}{tick}"></span>'
    )
