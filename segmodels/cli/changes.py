"""`segmodels changes`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from segmodels.cli.common import Add, relative
from segmodels.errors import SegmodelsError


def add(commands: Add) -> None:
    """Add it."""
    told = commands("changes", _changes, "what changed on the published board between two commits")
    old = "commit, tag or branch to start from (default: HEAD)"
    told.add_argument("old", nargs="?", default="HEAD", metavar="OLD", help=old)
    new = "commit to end with (default: the board as it lies here)"
    told.add_argument("new", nargs="?", default="", metavar="NEW", help=new)
    text = "text (default), html, or atom: a feed of all verdicts that changed, commit by commit"
    told.add_argument("--format", choices=("text", "html", "atom"), default="text", help=text)
    told.add_argument("--out", type=Path, metavar="FILE", help="write to a file, not the screen")
    site = "web address of the folder of the board, for links in the feed"
    told.add_argument("--site", metavar="URL", default="", help=site)


def _changes(chosen: argparse.Namespace) -> int:
    from segmodels.core.files import write_text

    text = _feed(chosen) if chosen.format == "atom" else _compared(chosen)
    if chosen.out:
        write_text(chosen.out, text)
        print(relative(chosen.out))
    else:
        sys.stdout.write(text)
    return 0


def _feed(chosen: argparse.Namespace) -> str:
    from segmodels.leaderboard.history.feed import render_feed, verdict_changes

    if (chosen.old, chosen.new) != ("HEAD", ""):
        raise SegmodelsError("a feed tells of all commits: leave OLD and NEW out.")
    return render_feed(verdict_changes(_board()), chosen.site)


def _compared(chosen: argparse.Namespace) -> str:
    from segmodels.core.git import content_at
    from segmodels.leaderboard.history.change import changes
    from segmodels.leaderboard.history.published import read_board
    from segmodels.leaderboard.history.texts import changes_text, render_changes

    if chosen.site:
        raise SegmodelsError("--site goes with --format atom.")
    board = _board()
    old = read_board(content_at(board, chosen.old), chosen.old)
    if not chosen.new and not board.is_file():
        raise SegmodelsError(f"{relative(board)}: missing; `segmodels leaderboard` writes it.")
    text = content_at(board, chosen.new) if chosen.new else board.read_text(encoding="utf-8")
    new = read_board(text, chosen.new or str(board))
    found = changes(old.rows, new.rows)
    if chosen.format == "html":
        return render_changes(found, chosen.old, chosen.new or "the board as it lies here")
    return changes_text(found) + "\n"


def _board() -> Path:
    from segmodels.core import paths

    return paths.reports() / "leaderboard.json"
