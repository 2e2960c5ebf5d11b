"""The part of the page that goes paper by paper."""

from __future__ import annotations

from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.papers import papers
from segmodels.leaderboard.templating import render_part
from segmodels.verdicts.row import Row


def paper_section(rows: list[Row]) -> str:
    """Every paper with what became of its numbers; "" when there is none.

    Args:
        rows: in the order of the page's table.
    """
    found = papers(zip(rows, page_names(rows), strict=True))
    return render_part("papers.html", papers=found) if found else ""
