"""Rows that have both a claimed and a measured number."""

from __future__ import annotations

from dataclasses import dataclass

from segmodels.leaderboard.links import page_names
from segmodels.verdicts.row import Row


@dataclass(frozen=True)
class Pair:
    """A claimed and a measured number of one row, in its unit.

    Attributes:
        index: place of the row in the table.
        row: the row.
        page: name of its page.
        claimed, verified: the numbers.
        low, high: ends of the interval of the second; itself where none is known.
    """

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


def pairs(rows: list[Row], percent: bool = True) -> list[Pair]:
    """Rows that have both a claimed and a measured number.

    Args:
        rows: in the order of the page's table.
        percent: rows in percent, or all others.
    """
    found = []
    for index, (row, page) in enumerate(zip(rows, page_names(rows), strict=True)):
        claimed, verified = row.subject.claimed, row.verdict.verified
        if not claimed or verified is None or (row.subject.unit == "%") != percent:
            continue
        low, high = row.verdict.interval or (verified, verified)
        found.append(Pair(index, row, page, claimed, verified, low, high))
    return found
