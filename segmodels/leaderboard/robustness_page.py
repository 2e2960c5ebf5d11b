"""What disturbance cost one network, as a page of its own for whoever keeps files of a run."""

from __future__ import annotations

from segmodels.leaderboard.asset import asset
from segmodels.leaderboard.charts.curves import robustness_section
from segmodels.leaderboard.templating import render
from segmodels.verdicts.row import Row


def robustness_page(row: Row) -> str:
    """Pictures and tables of a row in one HTML file; "" when nothing was disturbed."""
    body = robustness_section([row])
    if not body:
        return ""
    style = "".join(map(asset, ("palette.css", "charts.css")))
    return render("robustness_page.html", row=row, body=body, style=style)
