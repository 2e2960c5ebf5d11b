"""The rows as the page's script reads them: short arrays, repeated words once."""

from __future__ import annotations

import json
from typing import Any

from segmodels.leaderboard.charts.bars import places
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.headline import group
from segmodels.leaderboard.links import is_file, is_web, page_names
from segmodels.leaderboard.parts import summary
from segmodels.leaderboard.words import (
    digits,
    disputed,
    evidence_name,
    level,
    metric,
    paper,
    side,
)
from segmodels.verdicts.row import Row

#: Fields whose words repeat from row to row: the row holds an index into `words`.
REPEATED = (
    *("dataset", "split", "model", "paper", "title", "metric", "status", "level"),
    *("protocol", "claimant", "obstacle", "side", "corruption", "arxiv", "about", "docs", "parts"),
    *("group", "disputed", "place", "why", "source", "url", "rerun"),
)
PLAIN = (
    *("page", "claimed", "printed", "verified", "digits", "gap", "low", "high", "bar"),
    *("evidence", "file"),
)


#: Parts of the page, in its order: claims that SOTAVerified lists, scores, our own measurements,
#: sentences, costs, what is one command away, and what somebody else must give first.
PARTS = ("featured", "scores", "own", "statement", "costs", "open", "blocked")


def part(row: Row) -> str:
    """Which of `PARTS` a row belongs to."""
    if row.subject.id and row.subject.source.startswith("SOTAVerified page"):
        return "featured"
    if row.subject.kind == "relative":
        return "statement"
    if row.verdict.verified is None:
        return "blocked" if row.verdict.status == "blocked" else "open"
    return "costs" if row.subject.unit != "%" else "scores" if row.subject.id else "own"


def first_to_last(rows: list[Row]) -> list[Row]:
    """The order of the page."""
    return sorted(rows, key=lambda row: PARTS.index(part(row)))


def table_data(rows: list[Row], span: float, docs: Docs | None = None) -> str:
    """JSON that may stand inside a script element.

    Args:
        rows: in the order of the page.
        span: half the width of an interval bar, percentage points.
        docs: where protocols are described, seen from the page.
    """
    words: dict[str, int] = {}
    lines = [
        [words.setdefault(word, len(words)) for word in _repeated(row, docs)]
        + _plain(row, name, span)
        for row, name in zip(rows, page_names(rows), strict=True)
    ]
    value = {"repeated": REPEATED, "plain": PLAIN, "words": list(words), "rows": lines}
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _repeated(row: Row, docs: Docs | None) -> list[str]:
    return [
        *(
            row.subject.dataset,
            row.subject.split,
            row.subject.model,
            paper(row),
            row.subject.title,
            metric(row),
        ),
        *(
            row.verdict.status,
            level(row),
            row.protocol_name,
            row.subject.claimant,
            row.verdict.obstacle or "",
            side(row),
        ),
        *(row.subject.corruption, row.subject.arxiv, row.protocol_title),
        *(docs.protocol(row.protocol_name) if docs else "", _parts(row)),
        *(group(row), disputed(row), part(row), row.verdict.reason),
        *(row.subject.source, row.subject.url if is_web(row.subject.url) else "", row.command),
    ]


def _parts(row: Row) -> str:
    return (summary(row) or "see its page") if row.subject.kind == "relative" else ""


def _plain(row: Row, name: str, span: float) -> list[Any]:
    low, high = row.verdict.interval or (None, None)
    file = row.evidence_file or ""
    numbers = [
        row.subject.claimed,
        row.subject.decimals,
        row.verdict.verified,
        digits(row),
        row.verdict.gap,
        low,
        high,
    ]
    address = file if is_file(file) else ""
    return [name, *numbers, places(row, span), evidence_name(row), address]
