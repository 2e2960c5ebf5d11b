"""What the protocol alone does to a number: one checkpoint, counted in several ways."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.templating import render_part
from segmodels.verdicts.row import Row

#: Checkpoints whose tables are open; the others are one click away.
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

    @property
    def low(self) -> float:
        """The lowest of all numbers, measured and claimed."""
        return min(self.values + self._claimed)

    @property
    def high(self) -> float:
        """The highest of them."""
        return max(self.values + self._claimed)

    @property
    def _claimed(self) -> list[float]:
        return [row.subject.claimed for row, _ in self.rows if row.subject.claimed is not None]

    def place(self, value: float) -> float:
        """Where a number stands between the lowest and the highest, in percent."""
        return 100 * (value - self.low) / ((self.high - self.low) or 1.0)


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
    gaps = protocol_gaps(rows)
    return render_part("gaps.html", gaps=gaps, opened=_OPEN) if gaps else ""
