"""Sentences that compare models, with what each of their parts came to."""

from __future__ import annotations

from collections import Counter
from html import escape

from segmodels.leaderboard.markup import link, page_names, paper, status
from segmodels.verdicts.part_result import PartOutcome, PartResult
from segmodels.verdicts.row import Row

_WORDS: dict[PartOutcome, str] = {
    "holds": "holds",
    "holds_here": "holds on these images",
    "fails_here": "does not hold on these images",
    "fails": "does not hold",
    "open": "open",
}


def statement_section(rows: list[Row]) -> str:
    """Every statement with its verdict, source and parts; "" when there is none.

    Args:
        rows: in the order of the page's table.
    """
    told = "".join(
        _statement(row, name)
        for row, name in zip(rows, page_names(rows), strict=True)
        if row.subject.kind == "relative"
    )
    if not told:
        return ""
    return (
        '<section id="statements"><h2>Statements that compare models</h2>'
        "<p>Papers print sentences too. Each is taken apart into what can be counted or measured. "
        "A part measured at another budget than the paper's tells something, but decides "
        "nothing; one measured with a single training a side holds on these images alone."
        f'</p><div class="statements">{told}</div></section>'
    )


def _statement(row: Row, name: str) -> str:
    source = (
        f"{escape(paper(row))}, {link(row.subject.url, row.subject.source) or 'source unknown'}"
    )
    return (
        f'<article><h3><a href="claims/{escape(name)}.html">{escape(row.subject.model)}</a></h3>'
        f'<p class="soft">{status(row)} {summary(row)} &middot; {source}</p>'
        f"{finding_list(row)}</article>"
    )


def summary(row: Row) -> str:
    """`7 of 8 parts hold, 1 does not`; "" for a row without parts."""
    count = len(row.verdict.parts)
    if not count:
        return ""
    came = Counter(part.outcome for part in row.verdict.parts)
    holds, here = came["holds"], came["holds_here"]
    words = [
        f"{holds} of {count} part{'s' if count > 1 else ''} hold{'s' if holds == 1 else ''}",
        f"{here} hold{'s' if here == 1 else ''} on these images" if here else "",
        f"{came['fails']} do{'es' if came['fails'] == 1 else ''} not" if came["fails"] else "",
        f"{came['fails_here']} not on these images" if came["fails_here"] else "",
        f"{came['open']} open" if came["open"] else "",
    ]
    return ", ".join(filter(None, words))


def finding_list(row: Row) -> str:
    """The parts as a list, each with mark and word; the reason where they are not known."""
    if not row.verdict.parts:
        return f"<p>{escape(row.verdict.reason)}</p>"
    return f'<ul class="parts">{"".join(map(_finding, row.verdict.parts))}</ul>'


def _finding(part: PartResult) -> str:
    about = f"<b>{escape(part.about)}</b> " if part.about else ""
    outcome = part.outcome
    budget = "" if part.counts else "<small>at another budget</small>"
    word = f'<span class="status {outcome}">{_WORDS[part.outcome]}</span>'
    return f"<li><span>{word}{budget}</span><span>{about}{escape(part.text)}</span></li>"
