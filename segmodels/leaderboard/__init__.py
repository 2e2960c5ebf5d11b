"""The leaderboard: verdicts, rendered.

Its bytes depend on `params/`, `docs/`, `reports/efficiency.json`, evidence and `itables`. There are
two: of published evidence alone, and of all that is here (`boards`).
"""

from __future__ import annotations

from segmodels.leaderboard.boards import (
    main_files,
    rows_here,
    rows_of_run,
    where_to_look,
    write_local,
    write_published,
)
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.exports.json import render_json
from segmodels.leaderboard.exports.markdown import render_markdown
from segmodels.leaderboard.folder import write_leaderboard
from segmodels.leaderboard.headline import counts, headline
from segmodels.leaderboard.page import render_html
from segmodels.leaderboard.robustness_page import robustness_page
from segmodels.verdicts.judge import build_row, build_rows
from segmodels.verdicts.row import Row

__all__ = [
    "Docs",
    "Row",
    "build_row",
    "build_rows",
    "counts",
    "headline",
    "main_files",
    "render_html",
    "render_json",
    "render_markdown",
    "robustness_page",
    "rows_here",
    "rows_of_run",
    "where_to_look",
    "write_leaderboard",
    "write_local",
    "write_published",
]
