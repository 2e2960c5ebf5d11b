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
        "leaderboard", _leaderboard, "judge all evidence again and render both leaderboards"
    )
    formats = ("csv", "json", "latex", "model-index")
    board.add_argument("--format", choices=formats, help="print the rows like this instead")
    names = "only these claims or RUN-PROTOCOLs, e.g. 'depict_*'"
    board.add_argument("--match", metavar="GLOB", help=names)
    board.add_argument("--out", type=Path, metavar="FILE", help="write to a file, not the screen")
    seen = "web address where evidence can be seen, for model-index"
    board.add_argument("--source", metavar="URL", default="", help=seen)
    alone = "with --format: judge by published evidence alone, not by what this machine counted"
    board.add_argument("--published", action="store_true", help=alone)


def _leaderboard(chosen: argparse.Namespace) -> int:
    from segmodels.leaderboard import main_files, where_to_look, write_local, write_published

    if chosen.format:
        return _export_rows(chosen)
    if chosen.match or chosen.out or chosen.source or chosen.published:
        raise SegmodelsError("--match, --out, --source and --published go with --format.")
    for path in (*main_files(write_published()), *main_files(write_local())):
        print(relative(path))
    print(where_to_look())
    return 0


def _export_rows(chosen: argparse.Namespace) -> int:
    from segmodels.core.files import write_text
    from segmodels.leaderboard import rows_here
    from segmodels.leaderboard.exports import export

    rows = rows_here(chosen.published)
    text = export(rows, chosen.format, chosen.match, chosen.source)
    if chosen.out:
        write_text(chosen.out, text)
        print(relative(chosen.out))
    else:
        sys.stdout.write(text)
    return 0
