"""What became of the numbers of a paper, in a sentence, on the board and on a page of its own."""

from __future__ import annotations

import pytest
from page_rows import HOSTILE, Checker, make_measurement, make_row, unrun

from segmodels.leaderboard.blocked import first_sentence, folds
from segmodels.leaderboard.paper_page import render_paper
from segmodels.leaderboard.paper_section import paper_section
from segmodels.leaderboard.papers import Paper, papers
from segmodels.verdicts.row import Row


def of(*rows: Row) -> list[Paper]:
    return papers([(row, row.subject.id or "own") for row in rows])


def test_scores_and_costs_are_told_apart() -> None:
    (paper,) = of(
        make_row(claim="a"),
        make_row(claim="b", verdict="below", gap=-2.0),
        unrun(claim="c", obstacle="weights gated"),
        unrun(claim="d", obstacle="weights gated"),
        unrun(claim="e", verdict="unverified", obstacle=None),
        make_row(claim="f", metric="params_M"),
        make_measurement(),
    )
    assert [tally.sentence for tally in paper.tallies] == [
        "1 of 5 scores verified, 1 below, 3 open: 2 weights gated, 1 one command away",
        "1 of 1 costs verified",
    ]


def test_papers_have_a_name_each_and_our_own_measurements_have_none() -> None:
    found = of(
        make_row(claim="a", paper="b", title=""),
        make_row(claim="c", paper="a", title="Alpha: a network"),
        make_measurement(),
    )
    assert [(paper.name, paper.page) for paper in found] == [("Alpha", "a"), ("b", "b")]
    assert paper_section([make_measurement()]) == ""


def test_a_page_names_every_row_and_folds_what_is_blocked() -> None:
    (paper,) = of(
        make_row(claim="a", paper="hostile", title=HOSTILE, model=HOSTILE),
        unrun(claim="c", paper="hostile", obstacle="gated", reason="No images. Ask for them."),
        unrun(claim="d", paper="hostile", obstacle="gated", reason="No images. Or draw them."),
        unrun(claim="e", paper="hostile", verdict="unverified", obstacle=None),
    )
    page = Checker(render_paper(paper))
    assert page.open == []
    assert [f"../claims/{name}.html" for name in "aecd"] == [
        link for link in page.links if link.startswith("../claims/") and link.endswith(".html")
    ]
    assert "2: No images." in page.text
    assert "script" not in page.tags


@pytest.mark.parametrize(
    ("reason", "first"),
    [
        ("No weights. Ask.", "No weights."),
        ("Only one.", "Only one."),
        (
            "See (https://example.org/v0.5/a.zip) here. B.",
            "See (https://example.org/v0.5/a.zip) here.",
        ),
        ("none", "none."),
    ],
)
def test_rows_fold_by_the_first_sentence(reason: str, first: str) -> None:
    assert first_sentence(reason) == first


def test_the_largest_fold_comes_first() -> None:
    rows = [
        unrun(claim="a", obstacle="x", reason="One. Two."),
        unrun(claim="b", obstacle="y", reason="One. Two."),
        unrun(claim="c", obstacle="y", reason="One. Three."),
    ]
    found = folds([(row, row.subject.id or "") for row in rows])
    assert [(fold.obstacle, fold.reasons) for fold in found] == [
        ("y", {"One.": 2}),
        ("x", {"One.": 1}),
    ]
