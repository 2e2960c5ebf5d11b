"""The leaderboard: verdicts, rendered. Its bytes depend on `params/` and evidence only."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segmodels.errors import SegmodelsError
from segmodels.files import read_json, write_json, write_text
from segmodels.leaderboard.page import render_html
from segmodels.leaderboard.rows import Row, build_rows
from segmodels.rules import load_rules
from segmodels.verdict import STATUSES
from segmodels.versions import EVALUATOR, SOFTWARE

__all__ = [
    "Row",
    "build_rows",
    "render_html",
    "render_json",
    "render_markdown",
    "write_leaderboard",
]


def write_leaderboard(evidence_folder: Path, out_folder: Path) -> list[Path]:
    """Judge everything and write `leaderboard.{md,html,json}` and one `claims/<id>.json` each.

    Files of claims that no longer exist are removed.

    Returns:
        the paths written.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; nothing is written.
    """
    rows = build_rows(evidence_folder, link_from=out_folder)
    texts = {
        out_folder / "leaderboard.md": render_markdown(rows),
        out_folder / "leaderboard.html": render_html(rows),
        out_folder / "leaderboard.json": render_json(rows),
    }
    for path, text in texts.items():
        write_text(path, text)
    claims = {out_folder / "claims" / f"{row.claim}.json": row for row in rows if row.claim}
    for path, row in claims.items():
        write_json(path, dataclasses.asdict(row))
    _forget(out_folder / "claims", set(claims))
    return [*texts, *claims]


def _forget(folder: Path, kept: set[Path]) -> None:
    """Remove what an earlier call wrote about claims that are gone; leave foreign files alone."""
    for path in set(folder.glob("*.json")) - kept:
        try:
            row = read_json(path)
        except SegmodelsError:
            continue
        if isinstance(row, dict) and row.get("claim") == path.stem:
            path.unlink()


def render_json(rows: list[Row]) -> str:
    """All rows with the rules they were judged by."""
    counted = Counter(row.verdict for row in rows)
    value: dict[str, Any] = {
        "generated_by": f"segmodels {SOFTWARE}",
        "evaluator": EVALUATOR,
        "settings": dataclasses.asdict(load_rules()),
        "verdicts": {status: counted[status] for status in STATUSES if counted[status]},
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_markdown(rows: list[Row]) -> str:
    """Three tables for reading on a code host: claims, other measurements, robustness."""
    claims = [row for row in rows if row.claimed is not None]
    others = [row for row in rows if row.claimed is None]
    stressed = {row.evidence: row for row in reversed(rows) if row.robustness}.values()
    counted = Counter(row.verdict for row in rows)
    summary = ", ".join(f"{counted[s]} {s}" for s in STATUSES if counted[s]) or "nothing yet"
    lines = ["# Leaderboard", "", f"Percent mIoU. {summary[0].upper()}{summary[1:]}.", ""]
    lines += _table("Published numbers", _CLAIM_HEAD, map(_claim_cells, claims))
    lines += _table("Other measurements", _OTHER_HEAD, map(_other_cells, others))
    lines += _table("Robustness", _STRESS_HEAD, map(_stress_cells, reversed(stressed)))
    return "\n".join(lines)


_CLAIM_HEAD = "Claim | Protocol | >Claimed | >Verified | >Gap | Interval | Verdict | Reason"
_OTHER_HEAD = "Model | Run | Protocol | >mIoU | Interval | Verdict | Reason"
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
    gap = "-" if row.gap is None else f"{row.gap:+.2f}"
    verdict = f"**{row.verdict}**" + (f", {row.level}" if row.level else "")
    numbers = [claimed, _checked(row), gap, _interval(row)]
    return [_cell(row.claim or ""), f"`{row.protocol}`", *numbers, verdict, _cell(row.reason)]


def _other_cells(row: Row) -> list[str]:
    names = [_cell(row.model), _cell(row.run or ""), f"`{row.protocol}`"]
    verdict = f"**{row.verdict}**, {row.level}"
    return [*names, _checked(row), _interval(row), verdict, _cell(row.reason)]


def _stress_cells(row: Row) -> list[str]:
    found = row.robustness
    clean = "-" if found is None else f"{found.clean:.2f}"
    mean = "-" if found is None or found.mean is None else f"{found.mean:.2f}"
    kept = "-" if found is None or found.ratio is None else f"{found.ratio:.0%}"
    return [_cell(row.model), f"`{row.protocol}`", clean, mean, kept]


def _checked(row: Row) -> str:
    """The number, linked to its evidence."""
    if row.verified is None:
        return "-"
    return f"[{row.verified:.2f}]({row.evidence_file})"


def _interval(row: Row) -> str:
    return "-" if row.interval is None else f"{row.interval[0]:.2f} to {row.interval[1]:.2f}"
