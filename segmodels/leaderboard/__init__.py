"""The leaderboard: verdicts, rendered.

Its bytes depend on `params/`, `docs/`, `reports/efficiency.json`, evidence and `itables`.
"""

from __future__ import annotations

from segmodels.leaderboard.exports.json import render_json
from segmodels.leaderboard.exports.markdown import render_markdown
from segmodels.leaderboard.folder import write_leaderboard
from segmodels.leaderboard.headline import counts, headline
from segmodels.leaderboard.page import render_html
from segmodels.verdicts.judge import build_row, build_rows
from segmodels.verdicts.row import Row

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
