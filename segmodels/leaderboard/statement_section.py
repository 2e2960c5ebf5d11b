"""The part of the page about sentences that compare models."""

from __future__ import annotations

from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.templating import render_part
from segmodels.verdicts.row import Row


def statement_section(rows: list[Row]) -> str:
    """Every statement with its verdict, source and parts; "" when there is none.

    Args:
        rows: in the order of the page's table.
    """
    named = zip(rows, page_names(rows), strict=True)
    statements = [(row, name) for row, name in named if row.subject.kind == "relative"]
    return render_part("statements.html", statements=statements) if statements else ""
