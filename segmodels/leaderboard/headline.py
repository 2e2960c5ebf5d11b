"""Counts of verdicts, apart by what was judged: pixels, networks, sentences, our own runs.

A cost is counted from a network in a moment, a score from every pixel of a test set. One number
for both would say of the second what holds of the first, so no page has one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from segmodels.core.wording import many
from segmodels.verdicts.row import Row
from segmodels.verdicts.verdict import STATUSES, Status

Group = Literal["scores", "costs", "statements", "own"]

#: Every group with what its rows are.
GROUPS: dict[Group, str] = {
    "scores": "scores, measured from pixels",
    "costs": "costs, counted from networks",
    "statements": "statements",
    "own": "measurements of our own",
}


def group(row: Row) -> Group:
    """What a row is about."""
    if row.subject.kind == "relative":
        return "statements"
    if row.subject.kind == "measurement":
        return "own"
    return "scores" if row.subject.unit == "%" else "costs"


def counts(rows: Iterable[Row]) -> dict[Group, dict[Status, int]]:
    """How many rows of each group have which verdict; groups and verdicts that occur, in order."""
    found = Counter((group(row), row.verdict.status) for row in rows)
    counted = {name: {s: found[name, s] for s in STATUSES if found[name, s]} for name in GROUPS}
    return {name: of for name, of in counted.items() if of}


def headline(rows: Iterable[Row]) -> str:
    """What was verified, in one sentence; what third parties counted stands apart."""
    verified = [row for row in rows if row.verdict.status == "verified"]
    ours = Counter(group(row) for row in verified if not _third_party(row))
    theirs = sum(map(_third_party, verified))
    scores, costs = ours["scores"], ours["costs"]
    more = f" By third parties: {many(theirs, 'score')}." if theirs else ""
    return (
        f"Verified: {many(scores, 'score')} measured from pixels, "
        f"{many(costs, 'cost')} counted from networks.{more}"
    )


def _third_party(row: Row) -> bool:
    return bool(row.evidence and row.evidence.counted_by)
