"""The pages beside the board: one per row in `claims/`, one per paper in `papers/`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from segmodels.core.files import readable_json
from segmodels.leaderboard.badge import render_badge
from segmodels.leaderboard.charts.networks import on_same_images
from segmodels.leaderboard.claim_page import render_claim, script, style_sheet
from segmodels.leaderboard.compared import compared_in
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.exports.json import whole
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.paper_page import render_paper
from segmodels.leaderboard.papers import papers
from segmodels.verdicts.row import Row


def render_pages(rows: list[Row], out_folder: Path) -> dict[Path, str]:
    """Everything in `claims/` and `papers/`, by its path; nothing is written.

    Args:
        rows: of the whole board.
        out_folder: where the board lies.
    """
    named = zip(rows, page_names(rows), strict=True)
    return {
        **{out_folder / "claims" / name: text for name, text in _claims(rows, out_folder)},
        **{out_folder / "papers" / f"{one.page}.html": render_paper(one) for one in papers(named)},
    }


def _claims(rows: list[Row], out_folder: Path) -> Iterator[tuple[str, str]]:
    pages = dict(zip(page_names(rows), rows, strict=True))
    siblings: dict[tuple[str | None, ...], dict[str, Row]] = defaultdict(dict)
    for name, row in pages.items():
        siblings[_question(row)][name] = row
    docs = Docs(out_folder / "claims")
    beside = {
        key: images
        for images in on_same_images(rows)
        for network in images.networks
        for key in network.keys
    }
    for name, row in pages.items():
        near = {k: pages[k] for k in row.subject.conflicts if k in pages}
        if row.weights.sha256:
            near |= siblings[_question(row)]
        near.pop(name, None)
        others = beside.get(row.evidence_key or "")
        yield f"{name}.html", render_claim(row, name, near, docs, compared_in(row, rows), others)
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
