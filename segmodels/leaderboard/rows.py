"""Rows of the leaderboard: every claim, every statement, every measurement no claim asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segmodels.claims import Claim, Statement
from segmodels.leaderboard.robustness import Robustness
from segmodels.verdict import Status


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard: a verdict with everything needed to doubt it.

    `claimed`, `verified`, `gap`, `interval`, `seed_interval`, `tolerance` and `seeds` are in
    `unit`; `per_class` is IoU in percent with None for a class that never occurs. `findings` are
    the parts of a statement (about, outcome, text, counts), `todo` what would unblock a claim,
    details indented by two spaces, `disputed` objections (date, by, url, text, answer). What is
    unknown without evidence is None. The fields are described in docs/leaderboard-schema.md.
    """

    claim: str | None
    claimed: float | None
    verified: float | None
    gap: float | None
    interval: tuple[float, float] | None
    verdict: Status
    level: str | None
    reason: str
    tolerance: float | None
    model: str
    dataset: str
    split: str
    protocol: str
    evidence: str | None
    paper: str = ""
    title: str = ""
    source: str = ""
    url: str = ""
    notes: str = ""
    decimals: int = 2
    run: str | None = None
    rerun: str = ""
    protocol_title: str = ""
    protocol_source: str = ""
    protocol_version: int = 0
    protocol_fields: dict[str, Any] = field(default_factory=dict)
    images: int | None = None
    expected_images: int | None = None
    weights: str | None = None
    weights_origin: dict[str, Any] = field(default_factory=dict)
    pinned: str = ""
    fingerprint: str | None = None
    evaluator: int | None = None
    counted_by: str = ""
    counted_at: str = ""
    software: dict[str, str] = field(default_factory=dict)
    evidence_file: str | None = None
    pixel_accuracy: float | None = None
    mean_accuracy: float | None = None
    per_class: dict[str, float | None] = field(default_factory=dict)
    robustness: Robustness | None = None
    kind: Literal["claim", "relative", "measurement"] = "claim"
    metric: str = "mIoU"
    unit: str = "%"
    obstacle: str | None = None
    arxiv: str = ""
    claimant: str = ""
    seen: str = ""
    checkpoint: str = ""
    stated: str = ""
    corruption: str = ""
    conflicts: tuple[str, ...] = ()
    disputed: tuple[dict[str, str], ...] = ()
    seeds: tuple[float, ...] = ()
    interval_over: str = ""
    seed_interval: tuple[float, float] | None = None
    figure: str | None = None
    findings: tuple[dict[str, Any], ...] = ()
    todo: tuple[str, ...] = ()


def build_rows(evidence_folder: Path, link_from: Path | None = None) -> list[Row]:
    """Judge all claims, statements and runs of the project from evidence alone.

    Args:
        evidence_folder: searched with all folders below it; may be missing.
        link_from: folder that `evidence_file` is relative to (default: the parent folder).

    Returns:
        claims first (featured ones, then by paper and metric, highest value first), then
        statements, then other measurements.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    from segmodels.leaderboard.judge import Judge

    judge = Judge(evidence_folder, link_from or evidence_folder.parent)
    claims = sorted(judge.claims, key=_place)
    return [
        *map(judge.claimed, claims),
        *map(judge.stated, judge.statements),
        *_distinct(row for run in judge.runs for row in judge.measured(run)),
    ]


def build_row(
    entry: Claim | Statement, evidence_folder: Path, link_from: Path | None = None
) -> Row:
    """The row that `build_rows` has for a claim or statement; no other one is judged.

    Args:
        entry: of the project.
        evidence_folder, link_from: as for `build_rows`.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    from segmodels.leaderboard.judge import Judge

    judge = Judge(evidence_folder, link_from or evidence_folder.parent)
    return judge.claimed(entry) if isinstance(entry, Claim) else judge.stated(entry)


def _place(claim: Claim) -> tuple[bool, str, str, float]:
    """Featured claims keep the order of their file."""
    if claim.featured:
        return False, claim.paper, "", 0.0
    return True, claim.paper, claim.metric, -claim.value


def _distinct(found: Iterable[Row]) -> list[Row]:
    measured = list({(row.evidence, row.protocol): row for row in found}.values())
    return sorted(measured, key=lambda r: (r.dataset, r.model, r.run or "", r.protocol))


def short_title(title: str, paper: str) -> str:
    """What people call a paper: the words before the colon when they are few, else its key."""
    name = title.partition(":")[0]
    return name if 0 < len(name) <= 20 else paper
