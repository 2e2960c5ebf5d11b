"""Rows of the leaderboard: every claim, and every measurement no claim asks for."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segmodels.assets import (
    DatasetEntry,
    WeightsEntry,
    load_dataset_entries,
    load_weights_entries,
)
from segmodels.claims import Claim, load_claims
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.evidence import Evidence, find_evidence
from segmodels.leaderboard.matching import (
    asks_for,
    best_answer,
    has_released_weights,
    is_disturbed_copy,
    is_trained_by,
    obstacle,
)
from segmodels.leaderboard.robustness import Robustness, merge_images, summarise
from segmodels.protocols import Protocol, load_protocol
from segmodels.runs import Run, load_run, run_names
from segmodels.scores import score
from segmodels.verdict import Status, Verdict, judge, load_verdict_settings, measure


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard: a verdict with everything needed to doubt it.

    Numbers are percent, `gap` and `tolerance` percentage points, `per_class` IoU in percent
    with None for a class that never occurs. What is unknown without evidence is None.
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
    fingerprint: str | None = None
    evaluator: int | None = None
    software: dict[str, str] = field(default_factory=dict)
    evidence_file: str | None = None
    pixel_accuracy: float | None = None
    mean_accuracy: float | None = None
    per_class: dict[str, float | None] = field(default_factory=dict)
    robustness: Robustness | None = None


def build_rows(evidence_folder: Path, link_from: Path | None = None) -> list[Row]:
    """Judge all claims and runs of the project from evidence alone.

    Args:
        evidence_folder: searched with all folders below it; may be missing.
        link_from: folder that `evidence_file` is relative to (default: the parent folder).

    Returns:
        claims first (by paper, highest value first), then other measurements.

    Raises:
        SegmodelsError: a file in `params/` or a piece of evidence is broken; it is named.
    """
    room = _Room(evidence_folder, link_from or evidence_folder.parent)
    claims = sorted(room.claims, key=lambda c: (c.paper, -c.value, c.id))
    found = (row for run in room.runs for row in room.measured(run))
    measured = list({(row.evidence, row.protocol): row for row in found}.values())
    measured.sort(key=lambda r: (r.dataset, r.model, r.run or "", r.protocol))
    return [*map(room.claimed, claims), *measured]


_OTHER_IMAGES = (
    "Evidence {} was counted on other images than params/datasets.yaml lists, so it says nothing."
)


class _Room:
    """Everything on the table while judging: claims, runs, entries and evidence."""

    def __init__(self, folder: Path, link_from: Path) -> None:
        self.folder, self.link_from = folder, link_from
        self.settings = load_verdict_settings()
        self.claims = list(load_claims().values())
        self.runs = [load_run(name) for name in run_names()]
        self.weights, self.datasets = load_weights_entries(), load_dataset_entries()
        self.clean: list[Evidence] = []
        self.disturbed: list[Evidence] = []
        for evidence in find_evidence(folder):
            if evidence.identity.condition is None:
                self.clean.append(evidence)
            else:
                self.disturbed.append(merge_images(evidence))

    def claimed(self, claim: Claim) -> Row:
        """The row of a claim."""
        protocol = load_protocol(claim.protocol)
        entry, dataset = self._entries(claim)
        answers = [e for e in self.clean if entry and has_released_weights(e, entry)]
        evidence = best_answer(answers, claim, protocol, dataset)
        blocked = obstacle(entry, dataset)
        verdict = judge(claim, protocol, evidence, blocked, self.settings)
        stranger = best_answer(answers, claim, protocol, None)
        if verdict.status == "unverified" and stranger and not evidence:
            verdict = dataclasses.replace(verdict, reason=_OTHER_IMAGES.format(stranger.key))
        runs = [r.name for r in self.runs if asks_for(r, claim)]
        published = next((d for f in entry.files for d in f.sha256), None) if entry else None
        return dataclasses.replace(
            self._row(verdict, protocol, claim, evidence),
            claim=claim.id,
            claimed=claim.value,
            decimals=claim.decimals,
            model=claim.model,
            paper=claim.paper,
            title=claim.title,
            source=claim.source,
            url=claim.url,
            notes=claim.notes,
            run=runs[0] if runs else None,
            rerun=f"segmodels verify {claim.id}",
            weights=evidence.identity.weights if evidence else published,
            weights_origin=evidence.weights_origin if evidence else {"released": claim.weights},
        )

    def measured(self, run: Run) -> Iterable[Row]:
        """The rows of a run's protocols that have evidence and are no claim's."""
        entry = self.weights.get(run.weights or "")
        answers = [
            e
            for e in self.clean
            if (has_released_weights(e, entry) if entry else is_trained_by(e, run))
        ]
        for protocol in map(load_protocol, run.protocols):
            evidence = best_answer(answers, run, protocol, self.datasets[run.dataset])
            asked = any(asks_for(run, c) and c.protocol == protocol.name for c in self.claims)
            if evidence is None or asked:
                continue
            reason, command = self._why_measured(run, protocol), f"segmodels evaluate {run.name}"
            verdict = measure(protocol, evidence, reason, command, self.settings)
            row = self._row(verdict, protocol, run, evidence)
            yield dataclasses.replace(row, model=run.model, run=run.name, rerun=command)

    def _entries(self, claim: Claim) -> tuple[WeightsEntry | None, DatasetEntry]:
        if claim.weights is not None and claim.weights not in self.weights:
            error = UnknownNameError("weights", claim.weights, self.weights)
            raise SegmodelsError(f"claim {claim.id!r}: {error}")
        if claim.dataset not in self.datasets:
            error = UnknownNameError("dataset", claim.dataset, self.datasets)
            raise SegmodelsError(f"claim {claim.id!r}: {error}")
        return self.weights.get(claim.weights or ""), self.datasets[claim.dataset]

    def _why_measured(self, run: Run, protocol: Protocol) -> str:
        same = [c for c in self.claims if (c.model, c.dataset) == (run.model, run.dataset)]
        if not same:
            return "No published number is known for this model on this dataset."
        here = [c for c in same if (c.protocol, c.split) == (protocol.name, run.split)]
        claim = (here or same)[0]
        printed = f"{short_title(claim.title, claim.paper)} claims {claim.value:.{claim.decimals}f}"
        if here:
            return f"{printed} under this protocol, but with other weights."
        return f"No published number uses this protocol; {printed} under {claim.protocol}."

    def _row(
        self, verdict: Verdict, protocol: Protocol, asked: Claim | Run, evidence: Evidence | None
    ) -> Row:
        row = Row(
            claim=None,
            claimed=None,
            verified=_rounded(verdict.verified),
            gap=_rounded(verdict.gap),
            interval=verdict.interval
            and (round(verdict.interval[0], 4), round(verdict.interval[1], 4)),
            verdict=verdict.status,
            level=verdict.level,
            reason=verdict.reason,
            tolerance=_rounded(verdict.tolerance),
            model=asked.model,
            dataset=asked.dataset,
            split=asked.split,
            protocol=protocol.name,
            evidence=None,
            protocol_title=protocol.title,
            protocol_source=protocol.source,
            protocol_version=protocol.version,
            protocol_fields={**protocol.inference, **protocol.scoring},
        )
        return self._with_evidence(row, protocol, evidence) if evidence else row

    def _with_evidence(self, row: Row, protocol: Protocol, evidence: Evidence) -> Row:
        identity, seen = evidence.identity, score(evidence, protocol)
        disturbed = [e for e in self.disturbed if is_disturbed_copy(e, evidence)]
        return dataclasses.replace(
            row,
            evidence=evidence.key,
            evidence_file=self._link(evidence.key),
            images=len(evidence.images),
            expected_images=evidence.expected_images,
            weights=identity.weights,
            weights_origin=evidence.weights_origin,
            fingerprint=identity.fingerprint,
            evaluator=identity.evaluator,
            software=dict(sorted(evidence.software.items())),
            pixel_accuracy=_rounded(seen.pixel_accuracy),
            mean_accuracy=_rounded(seen.mean_accuracy),
            per_class={name: _rounded(iou) for name, iou in seen.per_class.items()},
            robustness=summarise(evidence, disturbed, protocol) if disturbed else None,
        )

    def _link(self, key: str) -> str:
        path = min(self.folder.rglob(f"{key}.json"))
        return Path(os.path.relpath(path, self.link_from)).as_posix()


def short_title(title: str, paper: str) -> str:
    """What people call a paper: the words before the colon when they are few, else its key."""
    name = title.partition(":")[0]
    return name if 0 < len(name) <= 20 else paper


def _rounded(value: float | None) -> float | None:
    """Four decimals; None for NaN, which JSON cannot hold."""
    return None if value is None or math.isnan(value) else round(value, 4)
