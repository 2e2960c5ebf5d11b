"""The leaderboard as Markdown, for reading on a code host."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from urllib.parse import quote

from segmodels.leaderboard.headline import GROUPS, counts, group, headline
from segmodels.leaderboard.links import is_file, is_web
from segmodels.leaderboard.table_data import part
from segmodels.leaderboard.words import (
    bounds,
    corruptions,
    digits,
    disputed,
    level,
    metric,
    paper,
    signed,
)
from segmodels.verdicts.row import Row
from segmodels.verdicts.verdict import STATUSES

_INTRO = (
    "The page `leaderboard.html`, which `segmodels leaderboard` writes, "
    "shows the same with charts, "
    "[the data](leaderboard.json) for programs; "
    "[docs/verdicts.md]({docs}/verdicts.md) says what the words mean."
)
_NUMBERS = "Claim | Metric | Protocol | >Claimed | >Verified | >Gap | Interval | Verdict"
_OWN = "Model | Run | Metric | Protocol | >Measured | Interval | Level"
_STATEMENTS = "Statement | Verdict | Reason"
_ROBUSTNESS = "Model | Paper or run | Protocol | >Clean | Corruptions | >Mean | >Kept"


def render_markdown(rows: list[Row], remark: str = "", docs: str = "../docs") -> str:
    """What is known first; what nobody could check is folded away, paper by paper.

    Args:
        rows: links in it are relative to the folder that `evidence_file` is relative to.
        remark: a sentence behind the headline.
        docs: the documentation, seen from that folder.
    """
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[part(row)].append(row)
    disturbed = {row.evidence_key: row for row in reversed(rows) if row.robustness}.values()
    featured = kinds["featured"]
    return "\n".join(
        [
            *_summary(rows, remark, docs),
            *_table("Claims that SOTAVerified shows", _NUMBERS, map(_claim_cells, featured)),
            *_reasons(featured),
            *_table("Scores", _NUMBERS, map(_claim_cells, kinds["scores"])),
            *_table("Costs", _NUMBERS, map(_claim_cells, kinds["costs"])),
            *_table("Statements", _STATEMENTS, map(_statement_cells, kinds["statement"])),
            *_table("Our own measurements", _OWN, map(_own_cells, kinds["own"])),
            *_table("Robustness", _ROBUSTNESS, map(_robustness_cells, reversed(disturbed))),
            *_not_checked(kinds["open"] + kinds["blocked"]),
        ]
    )


def _summary(rows: list[Row], remark: str, docs: str) -> list[str]:
    """Counts in sentences, and of scores and of costs a line per paper."""
    verdicts = (
        f"- {GROUPS[name]}: {', '.join(f'{number} {status}' for status, number in of.items())}"
        for name, of in counts(rows).items()
    )
    return [
        "# Leaderboard",
        "",
        " ".join(filter(None, [headline(rows), remark, _INTRO.format(docs=docs)])),
        "",
        *verdicts,
        "",
        *_papers("Scores by paper", [row for row in rows if group(row) == "scores"]),
        *_papers("Costs by paper", [row for row in rows if group(row) == "costs"]),
    ]


def _papers(title: str, claims: list[Row]) -> list[str]:
    found = [status for status in STATUSES if any(row.verdict.status == status for row in claims)]
    papers = {row.subject.paper: row for row in reversed(claims)}
    lines = [
        [_paper(papers[name]), str(sum(of.values())), *(str(of[s] or "") for s in found)]
        for name in sorted(papers)
        if (of := Counter(row.verdict.status for row in claims if row.subject.paper == name))
    ]
    head = " | ".join(["Paper", ">Claims", *(f">{status}" for status in found)])
    return _table(title, head, lines)


def _table(title: str, head: str, rows: Iterable[list[str]]) -> list[str]:
    body = _lines(head, rows)
    return [f"## {title}", "", *body, ""] if body else []


def _lines(head: str, rows: Iterable[list[str]]) -> list[str]:
    body = ["| " + " | ".join(row) + " |" for row in rows]
    names = head.split(" | ")
    rule = "|".join(" ---: " if name.startswith(">") else " --- " for name in names)
    titles = " | ".join(name.removeprefix(">") for name in names)
    return [f"| {titles} |", f"|{rule}|", *body] if body else []


def _cell(text: str) -> str:
    """Text that cannot break out of its cell."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _address(text: str) -> str:
    """An address that cannot break out of its link."""
    return quote(text, safe=":/?#@!$&'*+,;=%~")


def _paper(row: Row) -> str:
    name = _cell(paper(row)).replace("[", "\\[").replace("]", "\\]")
    return f"[{name}]({_address(row.subject.url)})" if is_web(row.subject.url) else name


def _claim_cells(row: Row) -> list[str]:
    gap = "" if row.verdict.gap is None else signed(row.verdict.gap, digits(row))
    verdict = ", ".join(filter(None, (f"**{row.verdict.status}**", _level(row), disputed(row))))
    return [_named(row), *_how(row), _claimed(row), _checked(row), gap, _interval(row), verdict]


def _level(row: Row) -> str:
    return _cell(level(row)) if row.verdict.level else ""


def _named(row: Row) -> str:
    """Id of a claim and, where others than the authors print it, what they are."""
    claim = row.subject.claim
    others = f" *({_cell(claim.claimant)})*" if claim and claim.claimant != "authors" else ""
    return _cell(row.subject.id or "") + others


def _statement_cells(row: Row) -> list[str]:
    return [
        _cell(f"{row.subject.model} ({paper(row)})"),
        f"**{row.verdict.status}**",
        _cell(row.verdict.reason),
    ]


def _own_cells(row: Row) -> list[str]:
    names = [_cell(row.subject.model), _cell(row.run or ""), *_how(row)]
    word = "" if row.verdict.status == "measured" else f"**{row.verdict.status}**, "
    return [*names, _checked(row), _interval(row), word + _level(row)]


def _robustness_cells(row: Row) -> list[str]:
    found = row.robustness
    clean = "" if found is None else f"{found.clean:.2f}"
    mean = "" if found is None or found.mean is None else f"{found.mean:.2f}"
    retained = "" if found is None or found.ratio is None else f"{found.ratio:.0%}"
    protocol = f"`{_cell(row.protocol_name)}`"
    over = "" if found is None else corruptions(found)
    name = _cell(row.subject.model), _cell(paper(row))
    return [*name, protocol, clean, over, mean, retained]


def _how(row: Row) -> list[str]:
    """Metric and protocol."""
    named = f"{metric(row)} {row.subject.corruption}".strip()
    return [_cell(named), f"`{_cell(row.protocol_name)}`" if row.protocol_name else "not stated"]


def _claimed(row: Row) -> str:
    return "" if row.subject.claimed is None else f"{row.subject.claimed:.{row.subject.decimals}f}"


def _checked(row: Row) -> str:
    """The number, linked to its evidence."""
    if row.verdict.verified is None:
        return ""
    number = f"{row.verdict.verified:.{digits(row)}f}"
    file = row.evidence_file or ""
    return f"[{number}]({_address(file)})" if is_file(file) else number


def _interval(row: Row) -> str:
    return "" if row.verdict.interval is None else bounds(row).replace("\u2013", " to ")


def _reasons(rows: list[Row]) -> list[str]:
    """Why rows have no number, each reason once."""
    found = dict.fromkeys(row.verdict.reason for row in rows if row.verdict.verified is None)
    return [*(f"- {_cell(reason)}" for reason in found), ""] if found else []


def _not_checked(rows: list[Row]) -> list[str]:
    """What is blocked or was never run: one fold per paper, each reason once below its table."""
    papers: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        papers[row.subject.paper].append(row)
    folds = [line for name in sorted(papers) for line in _fold(papers[name])]
    return ["## Not checked", "", *folds] if folds else []


def _fold(rows: list[Row]) -> list[str]:
    """Open numbers of a paper: each reason once, with the claims that it holds up."""
    reasons: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        reasons[row.verdict.obstacle or row.verdict.status, row.verdict.reason].append(row)
    counted = Counter(row.verdict.obstacle or row.verdict.status for row in rows)
    obstacles = ", ".join(f"{number} {_cell(why)}" for why, number in counted.most_common())
    return [
        "<details>",
        f"<summary><b>{_cell(paper(rows[0]))}</b>: {obstacles}</summary>",
        "",
        *(_open_line(why, reason, of) for (why, reason), of in reasons.items()),
        "",
        "</details>",
        "",
    ]


def _open_line(why: str, reason: str, rows: list[Row]) -> str:
    named = ", ".join(f"{_named(row)} {_claimed(row)}".strip() for row in rows)
    return f"- **{_cell(why)}**: {_cell(reason)} {len(rows)} printed: {named}"
