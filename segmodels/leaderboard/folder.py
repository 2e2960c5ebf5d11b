"""The folder of the leaderboard: the board in three formats, and pages beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from segmodels.core.files import write_text
from segmodels.leaderboard.docs import Docs, docs_from
from segmodels.leaderboard.exports.json import render_json
from segmodels.leaderboard.exports.markdown import render_markdown
from segmodels.leaderboard.page import render_html
from segmodels.leaderboard.pages import render_pages
from segmodels.leaderboard.words import GENERATOR
from segmodels.verdicts.judge import build_rows
from segmodels.verdicts.row import Row

#: One sentence about all rows, for the top of the page.
Remark = Callable[[list[Row]], str]

#: Folders of the pages beside a board.
PAGES = ("claims", "papers")


def write_leaderboard(
    evidence_folder: Path, out_folder: Path, local: Path | None = None
) -> list[Path]:
    """Judge everything and write its board, with pages; see `write_board`.

    Args:
        evidence_folder: published evidence.
        out_folder: where the board is written.
        local: evidence of this machine, which goes before published one.

    Returns:
        the paths written.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken, or the table library
            is missing; nothing is written.
    """
    return write_board(build_rows(evidence_folder, out_folder, local), out_folder)


def write_board(
    rows: list[Row], out_folder: Path, remark: Remark | None = None, pages: bool = True
) -> list[Path]:
    """Write `leaderboard.{md,html,json}`, and pages beside them.

    A claim gets `claims/<id>.{html,svg,json}`, a measurement that no claim asks for
    `claims/<run>-<protocol>.{html,svg,json}`. Pages of another board than this are removed.

    Args:
        rows: all of them, their links seen from `out_folder`.
        out_folder: where the board is written.
        remark: says below the headline what rows rest on.
        pages: whether pages are written.

    Returns:
        the paths written.

    Raises:
        SegmodelsError: the table library is missing; nothing is written.
    """
    texts = render_board(rows, out_folder, remark)
    texts |= render_pages(rows, out_folder) if pages else {}
    for path, text in texts.items():
        write_text(path, text)
    for name in PAGES:
        if pages:  # also where there is nothing to tell: the pipeline expects the folder
            (out_folder / name).mkdir(parents=True, exist_ok=True)
        _remove_old(out_folder / name, set(texts))
    return list(texts)


def render_board(
    rows: list[Row], out_folder: Path, remark: Remark | None = None
) -> dict[Path, str]:
    """The board without its pages, by the paths of its files; nothing is written."""
    sentence = remark(rows) if remark else ""
    return {
        out_folder / "leaderboard.md": render_markdown(rows, sentence, docs_from(out_folder)),
        out_folder / "leaderboard.html": render_html(rows, docs=Docs(out_folder), remark=sentence),
        out_folder / "leaderboard.json": render_json(rows),
    }


def _remove_old(folder: Path, current: Iterable[Path]) -> None:
    """Remove what an earlier call wrote about rows that are gone; leave foreign files alone."""
    for path in set(folder.glob("*")) - set(current):
        if path.suffix in (".html", ".svg", ".json", ".css", ".js") and _is_ours(path):
            path.unlink()


def _is_ours(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".json":
        return GENERATOR in text[:2000]
    try:
        row = json.loads(text)
    except ValueError:
        return False
    return isinstance(row, dict) and path.stem in (row.get("page"), row.get("claim"))
