"""The page of one paper: what became of its numbers, then every one of them."""

from __future__ import annotations

from segmodels.leaderboard.blocked import folds
from segmodels.leaderboard.papers import Paper
from segmodels.leaderboard.templating import render
from segmodels.verdicts.verdict import STATUSES, Status

#: Titles of the tables, and the verdicts in each; what is blocked is folded below.
TABLES: dict[str, tuple[Status, ...]] = {
    "Checked": tuple(s for s in STATUSES if s not in ("unverified", "blocked")),
    "Nobody has run these yet": ("unverified",),
}


def render_paper(paper: Paper) -> str:
    """One page as text; it lies in `papers/`, beside `claims/`."""
    tables = {title: paper.of(*statuses) for title, statuses in TABLES.items()}
    blocked = paper.of("blocked")
    return render(
        "paper.html",
        paper=paper,
        tables={title: rows for title, rows in tables.items() if rows},
        blocked=folds(blocked),
        waiting=len(blocked),
    )
