"""`segmodels leaderboard`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from segmodels.cli.common import Add, relative
from segmodels.errors import SegmodelsError


def add(commands: Add) -> None:
    """Add it."""
    board = commands(
        "leaderboard", _leaderboard, "judge all evidence again and render the leaderboard"
    )
    formats = ("csv", "json", "latex", "model-index")
    board.add_argument("--format", choices=formats, help="print the rows like this instead")
    names = "only these claims or RUN-PROTOCOLs, e.g. 'depict_*'"
    board.add_argument("--match", metavar="GLOB", help=names)
    board.add_argument("--out", type=Path, metavar="FILE", help="write to a file, not the screen")
    seen = "web address where evidence can be seen, for model-index"
    board.add_argument("--source", metavar="URL", default="", help=seen)


def _leaderboard(chosen: argparse.Namespace) -> int:
    from segmodels.core import paths
    from segmodels.leaderboard import write_leaderboard

    if chosen.format:
        return _export_rows(chosen)
    if chosen.match or chosen.out or chosen.source:
        raise SegmodelsError("--match, --out and --source go with --format.")
    for path in write_leaderboard(paths.evidence(), paths.reports()):
        print(relative(path))
    return 0


def _export_rows(chosen: argparse.Namespace) -> int:
    from segmodels.core import paths
    from segmodels.core.files import write_text
    from segmodels.leaderboard import build_rows
    from segmodels.leaderboard.exports import export

    rows = build_rows(paths.evidence(), link_from=paths.reports())
    text = export(rows, chosen.format, chosen.match, chosen.source)
    if chosen.out:
        write_text(chosen.out, text)
        print(relative(chosen.out))
    else:
        sys.stdout.write(text)
    return 0
