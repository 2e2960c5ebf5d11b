"""The leaderboard: verdicts, rendered.

Its bytes depend on `params/`, `docs/`, `reports/efficiency.json`, evidence and `itables`.
"""

from __future__ import annotations

from segmodels.leaderboard.folder import write_leaderboard
from segmodels.leaderboard.headline import counts, headline
from segmodels.leaderboard.markdown import render_markdown
from segmodels.leaderboard.page import render_html
from segmodels.leaderboard.record import render_json
from segmodels.leaderboard.rows import Row, build_row, build_rows

__all__ = [
    "Row",
    "build_row",
    "build_rows",
    "counts",
    "headline",
    "render_html",
    "render_json",
    "render_markdown",
    "write_leaderboard",
]
