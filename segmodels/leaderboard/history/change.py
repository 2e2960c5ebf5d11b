"""What changed between two boards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from segmodels.leaderboard.history.published import PublishedRow
from segmodels.verdicts.verdict import Status

Kind = Literal["verdict", "number", "claim", "new", "gone"]

#: Every kind with what it means, in the order of pages.
KINDS: dict[Kind, str] = {
    "verdict": "Verdicts that changed",
    "number": "Other measured numbers",
    "claim": "Other printed numbers",
    "new": "New rows",
    "gone": "Rows that are gone",
}
#: Verdicts that nobody has measured anything for.
_OPEN: tuple[Status, ...] = ("unverified", "blocked")


@dataclass(frozen=True)
class Change:
    """A row before and after; one of the two is None for a row that is new or gone."""

    before: PublishedRow | None
    after: PublishedRow | None

    @property
    def row(self) -> PublishedRow:
        """The row as it is, or as it last was."""
        row = self.after or self.before
        if row is None:
            raise ValueError("a change of no row")
        return row

    @property
    def kind(self) -> Kind:
        """The weightiest thing that changed."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "gone"
        if self.before.verdict != self.after.verdict:
            return "verdict"
        return "claim" if self.before.claimed != self.after.claimed else "number"

    @property
    def tells_a_verdict(self) -> bool:
        """Whether a row has a verdict that it did not have, or lost one it had."""
        if self.kind == "verdict":
            return True
        return self.kind in ("new", "gone") and self.row.verdict not in (*_OPEN, "measured")

    @property
    def words(self) -> str:
        """`unverified → verified 65.54 of 65.6`."""
        sides = [_side(row) for row in (self.before, self.after) if row]
        return " \u2192 ".join(sides) + {"gone": ", gone", "new": ", new"}.get(self.kind, "")


def changes(before: Iterable[PublishedRow], after: Iterable[PublishedRow]) -> list[Change]:
    """Rows whose verdict, measured number or printed number differ, by kind and then name.

    A row is known by its page, which a claim gets from its id.
    """
    old, new = ({row.page: row for row in rows} for rows in (before, after))
    pairs = (Change(old.get(page), new.get(page)) for page in sorted(old.keys() | new.keys()))
    found = [pair for pair in pairs if _seen(pair.before) != _seen(pair.after)]
    return sorted(found, key=lambda change: list(KINDS).index(change.kind))


def _seen(row: PublishedRow | None) -> tuple[object, ...] | None:
    return None if row is None else (row.verdict, row.verified, row.claimed, row.evidence)


def _side(row: PublishedRow) -> str:
    numbers = [f"{value:g}" for value in (row.verified, row.claimed) if value is not None]
    if row.verified is None:
        return row.verdict
    return f"{row.verdict} {' of '.join(numbers)}"
