"""Rows of the leaderboard: every claim, every statement, every measurement no claim asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from segmodels.metrics.robustness import Robustness
from segmodels.verdicts.verdict import Status


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


def short_title(title: str, paper: str) -> str:
    """What people call a paper: the words before the colon when they are few, else its key."""
    name = title.partition(":")[0]
    return name if 0 < len(name) <= 20 else paper
