"""What disturbance cost one network, as a page of its own for whoever keeps files of a run."""

from __future__ import annotations

from segmodels.leaderboard.asset import styles
from segmodels.leaderboard.charts.curves import robustness_section
from segmodels.leaderboard.policy import inline_policy
from segmodels.leaderboard.templating import render
from segmodels.verdicts.row import Row


def robustness_page(row: Row) -> str:
    """Pictures and tables of a row in one HTML file; "" when nothing was disturbed."""
    body = robustness_section([row])
    if not body:
        return ""
    style = styles("palette.css", "charts.css") + "body { margin: 20px; }"
    policy = inline_policy([style])
    return render("robustness_page.html", row=row, body=body, style=style, policy=policy)
