"""What disturbance cost one network, as a page of its own for whoever keeps files of a run."""

from __future__ import annotations

from segmodels.leaderboard.asset import styles
from segmodels.leaderboard.charts.curves import curve_tables
from segmodels.leaderboard.charts.robustness_pictures import CORRUPTION, own_pictures
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.policy import inline_policy
from segmodels.leaderboard.templating import render
from segmodels.verdicts.row import Row


def robustness_page(row: Row, docs: Docs | None = None) -> str:
    """Pictures and tables of a row in one HTML file; "" when nothing was disturbed.

    Args:
        row: the row.
        docs: where the sheet of examples lies, seen from the page; it is shown to the corrupted.
    """
    if row.robustness is None:
        return ""
    body = own_pictures(row) + curve_tables([row])
    corrupted = any(curve.kind == CORRUPTION for curve in row.robustness.curves)
    sheet = docs.corruptions if docs and corrupted else ""
    style = styles("palette.css", "charts.css") + "body { margin: 20px; }"
    policy = inline_policy([style])
    return render(
        "robustness_page.html", row=row, body=body, sheet=sheet, style=style, policy=policy
    )
