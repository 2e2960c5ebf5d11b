"""The board in the shape of SOTAVerified's interface: a record for each paper.

Their fields have their names; what is ours alone stands under `segmodels`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from segmodels.leaderboard.exports.json import SCHEMA, short
from segmodels.leaderboard.links import page_names
from segmodels.verdicts.row import Row
from segmodels.verdicts.verdict import STATUSES, Status
from segmodels.versions import SOFTWARE

TASK = "Semantic Segmentation"

#: Verdicts that say a printed number holds, and those that say another was measured.
HOLDS: tuple[Status, ...] = ("verified",)
DIFFERS: tuple[Status, ...] = ("better", "below")

#: Fields of a row that stand under `segmodels` of a number, as docs/leaderboard-schema.md has them.
OWN = (
    *("claim", "claimant", "model", "split", "corruption", "unit", "verified", "gap", "verdict"),
    *("level", "obstacle", "reason", "protocol", "evidence", "weights", "fingerprint", "source"),
)

Record = dict[str, Any]


def paper_records(rows: Iterable[Row]) -> tuple[dict[str, Record], int]:
    """A record for each paper with an arXiv number, by that number.

    Args:
        rows: of the board.

    Returns:
        the records, and how many claims are of papers without an arXiv number.
    """
    kept, papers, without = list(rows), dict[str, list[tuple[Row, str]]](), 0
    for row, page in zip(kept, page_names(kept), strict=True):
        if row.subject.claim is None:
            continue
        if not row.subject.arxiv:
            without += 1
            continue
        papers.setdefault(row.subject.arxiv, []).append((row, page))
    return {arxiv: _paper(arxiv, papers[arxiv]) for arxiv in sorted(papers)}, without


def sota_records(papers: Iterable[Record]) -> list[Record]:
    """Every number of the records with its paper, best-verified papers first."""
    ordered = sorted(papers, key=lambda one: (-one["verification_score"], one["arxiv_id"]))
    shared = ("arxiv_id", "title", "verification", "verification_score")
    return [
        {**{name: paper[name] for name in shared}, **line}
        for paper in ordered
        for line in paper["leaderboard"]
    ]


def _paper(arxiv: str, found: list[tuple[Row, str]]) -> Record:
    verdicts = Counter(row.verdict.status for row, _ in found)
    decisive = Counter(row.verdict.status for row, _ in found if is_decisive(row))
    holds = _number(decisive, HOLDS)
    return {
        "arxiv_id": arxiv,
        "title": found[0][0].subject.title,
        "verification": verification(decisive),
        "verification_score": round(holds / decisive.total(), 4) if holds else 0.0,
        "tasks": [TASK],
        "leaderboard": [_line(row, page) for row, page in found],
        "code_links": [],
        "segmodels": {
            "schema": SCHEMA,
            "generated_by": f"segmodels {SOFTWARE}",
            "numbers": len(found),
            "scores_of_the_authors": decisive.total(),
            "verdicts": {status: verdicts[status] for status in STATUSES if verdicts[status]},
        },
    }


def is_decisive(row: Row) -> bool:
    """Whether a number says something about a paper: a score that its own authors print.

    A count of parameters says nothing of a score, and what others print of their own code is
    theirs to hold.
    """
    return row.subject.unit == "%" and row.subject.claimant.startswith("authors")


def verification(verdicts: Counter[Status]) -> str:
    """One word for a paper, from the verdicts on the scores that its authors print.

    Returns:
        `verified` where all of them hold, `unverified` where none was compared with a measurement,
        `contradicted` where none holds and one at least differs, else `partial`.
    """
    holds, differs = _number(verdicts, HOLDS), _number(verdicts, DIFFERS)
    open_ended = _number(verdicts, ("inconclusive", "partial"))
    if not holds + differs + open_ended:
        return "unverified"
    if holds == verdicts.total():
        return "verified"
    return "contradicted" if differs and not holds + open_ended else "partial"


def _number(verdicts: Counter[Status], of: Iterable[Status]) -> int:
    return sum(verdicts[status] for status in of)


def _line(row: Row, page: str) -> Record:
    known = short(row, page)
    return {
        "task": TASK,
        "dataset": row.subject.dataset,
        "metric": row.subject.metric,
        "value": row.subject.claimed,
        "reproductions": reproductions(row),
        "segmodels": {name: known[name] for name in OWN if name in known},
    }


def reproductions(row: Row) -> int:
    """How often a number was measured anew; of a retrained one each training counts."""
    if row.verdict.verified is None:
        return 0
    return len(row.verdict.seeds) or 1
