"""The folder of the leaderboard: the page, its tables, and a page per row."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from segmodels.core.files import readable_json, write_text
from segmodels.leaderboard.badge import render_badge
from segmodels.leaderboard.claim_page import render_claim, script, style_sheet
from segmodels.leaderboard.compared import compared_in
from segmodels.leaderboard.docs import Docs, docs_from
from segmodels.leaderboard.exports.json import render_json, whole
from segmodels.leaderboard.exports.markdown import render_markdown
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.page import render_html
from segmodels.leaderboard.words import GENERATOR
from segmodels.verdicts.judge import build_rows
from segmodels.verdicts.row import Row

#: One sentence about all rows, for the top of the page.
Remark = Callable[[list[Row]], str]


def write_leaderboard(
    evidence_folder: Path,
    out_folder: Path,
    local: Path | None = None,
    remark: Remark | None = None,
) -> list[Path]:
    """Judge everything and write `leaderboard.{md,html,json}` and a page per row in `claims/`.

    A claim gets `claims/<id>.{html,svg,json}`, a measurement that no claim asks for
    `claims/<run>-<protocol>.{html,svg,json}`. Files of rows that no longer exist are removed.

    Args:
        evidence_folder: published evidence.
        out_folder: where the board is written.
        local: evidence of this machine, which goes before published one.
        remark: says below the headline what rows rest on.

    Returns:
        the paths written.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken, or the table library
            is missing; nothing is written.
    """
    texts = render_leaderboard(evidence_folder, out_folder, local, remark)
    for path, text in texts.items():
        write_text(path, text)
    _remove_old(out_folder / "claims", set(texts))
    return list(texts)


def render_leaderboard(
    evidence_folder: Path,
    out_folder: Path,
    local: Path | None = None,
    remark: Remark | None = None,
) -> dict[Path, str]:
    """Everything that `write_leaderboard` writes, by its path; nothing is written."""
    rows = build_rows(evidence_folder, out_folder, local)
    sentence = remark(rows) if remark else ""
    return {
        out_folder / "leaderboard.md": render_markdown(rows, sentence, docs_from(out_folder)),
        out_folder / "leaderboard.html": render_html(rows, docs=Docs(out_folder), remark=sentence),
        out_folder / "leaderboard.json": render_json(rows),
        **{out_folder / "claims" / name: text for name, text in _pages(rows, out_folder)},
    }


def _pages(rows: list[Row], out_folder: Path) -> Iterable[tuple[str, str]]:
    """Names and texts of everything in `claims/`."""
    pages = dict(zip(page_names(rows), rows, strict=True))
    siblings: dict[tuple[str | None, ...], dict[str, Row]] = defaultdict(dict)
    for name, row in pages.items():
        siblings[_question(row)][name] = row
    docs = Docs(out_folder / "claims")
    for name, row in pages.items():
        near = {k: pages[k] for k in row.subject.conflicts if k in pages}
        if row.weights.sha256:
            near |= siblings[_question(row)]
        near.pop(name, None)
        yield f"{name}.html", render_claim(row, name, near, docs, compared_in(row, rows))
        yield f"{name}.svg", render_badge(row)
        yield f"{name}.json", readable_json(whole(row, name))
    if pages:
        yield "style.css", style_sheet()
        yield "page.js", script()


def _question(row: Row) -> tuple[str | None, ...]:
    """Rows that agree in this differ in their protocol at most."""
    return (
        row.weights.sha256,
        row.subject.dataset,
        row.subject.split,
        row.subject.metric,
        row.subject.corruption,
    )


def _remove_old(folder: Path, current: set[Path]) -> None:
    """Remove what an earlier call wrote about rows that are gone; leave foreign files alone."""
    for path in set(folder.glob("*")) - current:
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
