"""The leaderboard as Markdown, for reading on a code host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from segmodels.leaderboard.markup import bounds, digits, metric
from segmodels.leaderboard.rows import Row
from segmodels.verdict import STATUSES


def render_markdown(rows: list[Row]) -> str:
    """Tables for reading on a code host: claims, statements, other measurements, robustness."""
    claims = [row for row in rows if row.claimed is not None]
    statements = [row for row in rows if row.kind == "relative"]
    others = [row for row in rows if row.claimed is None and row.kind != "relative"]
    stressed = {row.evidence: row for row in reversed(rows) if row.robustness}.values()
    counted = Counter(row.verdict for row in rows)
    summary = ", ".join(f"{counted[s]} {s}" for s in STATUSES if counted[s]) or "nothing yet"
    lines = ["# Leaderboard", "", f"{summary[0].upper()}{summary[1:]}.", ""]
    lines += _table("Published numbers", _CLAIM_HEAD, map(_claim_cells, claims))
    lines += _table("Statements", _STATEMENT_HEAD, map(_statement_cells, statements))
    lines += _table("Other measurements", _OTHER_HEAD, map(_other_cells, others))
    lines += _table("Robustness", _STRESS_HEAD, map(_stress_cells, reversed(stressed)))
    return "\n".join(lines)


_CLAIM_HEAD = (
    "Claim | Metric | Protocol | >Claimed | >Verified | >Gap | Interval | Verdict | Reason"
)
_STATEMENT_HEAD = "Claim | Verdict | Reason"
_OTHER_HEAD = "Model | Run | Metric | Protocol | >Measured | Interval | Verdict | Reason"
_STRESS_HEAD = "Model | Protocol | >Clean | >Mean over corruptions | >Kept"


def _table(title: str, head: str, rows: Iterable[list[str]]) -> list[str]:
    body = ["| " + " | ".join(row) + " |" for row in rows]
    if not body:
        return []
    names = head.split(" | ")
    rule = "|".join(" ---: " if name.startswith(">") else " --- " for name in names)
    titles = " | ".join(name.removeprefix(">") for name in names)
    return [f"## {title}", "", f"| {titles} |", f"|{rule}|", *body, ""]


def _cell(text: str) -> str:
    """Text that cannot break out of its cell."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _claim_cells(row: Row) -> list[str]:
    claimed = "-" if row.claimed is None else f"{row.claimed:.{row.decimals}f}"
    gap = "-" if row.gap is None else f"{row.gap:+.{digits(row)}f}"
    verdict = f"**{row.verdict}**" + (f", {row.level}" if row.level else "")
    numbers = [claimed, _checked(row), gap, _interval(row)]
    return [_cell(row.claim or ""), *_how(row), *numbers, verdict, _cell(row.reason)]


def _statement_cells(row: Row) -> list[str]:
    return [_cell(row.claim or ""), f"**{row.verdict}**", _cell(row.reason)]


def _how(row: Row) -> list[str]:
    """Metric and protocol."""
    named = f"{metric(row)} {row.corruption}".strip()
    return [_cell(named), f"`{_cell(row.protocol)}`" if row.protocol else "not stated"]


def _other_cells(row: Row) -> list[str]:
    names = [_cell(row.model), _cell(row.run or ""), *_how(row)]
    verdict = f"**{row.verdict}**, {row.level}"
    return [*names, _checked(row), _interval(row), verdict, _cell(row.reason)]


def _stress_cells(row: Row) -> list[str]:
    found = row.robustness
    clean = "-" if found is None else f"{found.clean:.2f}"
    mean = "-" if found is None or found.mean is None else f"{found.mean:.2f}"
    kept = "-" if found is None or found.ratio is None else f"{found.ratio:.0%}"
    return [_cell(row.model), f"`{_cell(row.protocol)}`", clean, mean, kept]


def _checked(row: Row) -> str:
    """The number, linked to its evidence."""
    if row.verified is None:
        return "-"
    shown = f"{row.verified:.{digits(row)}f}"
    return f"[{shown}]({row.evidence_file})" if row.evidence_file else shown


def _interval(row: Row) -> str:
    return "-" if row.interval is None else bounds(row).replace("\u2013", " to ")
