"""The two boards of a project: of what is published, and of all that is here.

The published one, in `reports/`, is made from files in git alone, so it is the same to the byte
on every machine. That of all that is here, in `reports/local/`, judges what this machine counted
too, and by that first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from segmodels.core import paths
from segmodels.core.settings import project_root
from segmodels.leaderboard.folder import PAGES, write_board
from segmodels.verdicts.judge import build_rows, build_rows_of_run
from segmodels.verdicts.row import Row


def rows_here(published: bool = False) -> list[Row]:
    """Rows judged by all evidence that is here, or by published evidence alone.

    Paths in them are relative to `reports/`.
    """
    local = None if published else paths.evidence()
    return build_rows(paths.published_evidence(), paths.reports(), local)


def rows_of_run(run: str) -> list[Row]:
    """Those of `rows_here` that a run can be behind, in a third of the time."""
    return build_rows_of_run(run, paths.published_evidence(), paths.reports(), paths.evidence())


def write_published(pages: bool = True) -> list[Path]:
    """Write the board of published evidence; returns the paths written.

    Args:
        pages: whether the pages of its rows and papers are written, too. Git does not keep them.
    """
    return write_board(rows_here(published=True), paths.reports(), pages=pages)


def write_local(rows: Iterable[Row] | None = None) -> list[Path]:
    """Write the board of all that is here; returns the paths written.

    Args:
        rows: of `rows_here`, where they have been judged already.
    """
    here = rows_here() if rows is None else rows
    moved = [row.moved(paths.reports(), paths.local()) for row in here]
    return write_board(moved, paths.local(), where_counted)


def main_files(written: Iterable[Path]) -> list[Path]:
    """The files of a board without the pages beside it."""
    return [path for path in written if path.parent.name not in PAGES]


def where_to_look() -> str:
    """Where the two boards lie, for whoever has just had them written."""
    root, here = project_root(), Path.cwd()
    local, published = (
        (folder.relative_to(root) if here.is_relative_to(root) else folder) / "leaderboard.html"
        for folder in (paths.local(), paths.reports())
    )
    return f"Open {local} for all that is here; {published} holds published evidence alone."


def where_counted(rows: Iterable[Row]) -> str:
    """How many rows of the local board rest on evidence of this machine, in one sentence.

    Evidence that is published with the very same counts is called published, also where this
    machine counted it again. What third parties counted is neither, wherever it lies.
    """
    known = [row for row in rows if row.evidence]
    theirs = sum(bool(row.evidence and row.evidence.counted_by) for row in known)
    own = [row.evidence.file for row in known if row.evidence and not row.evidence.counted_by]
    here = sum(_lies_in(paths.evidence(), file) for file in own)
    published = f"{_rows(len(own) - here)} on evidence that the project published"
    more = f", {_rows(theirs)} on evidence of third parties" if theirs else ""
    return (
        f"All that is here: {_rows(here)} on evidence that this machine alone counted, "
        f"{published}{more}."
    )


def _lies_in(folder: Path, file: str) -> bool:
    return Path(os.path.normpath(paths.local() / file)).is_relative_to(folder)


def _rows(number: int) -> str:
    return "1 row rests" if number == 1 else f"{number} rows rest"
