"""Rows of the leaderboard: every claim, every statement, every measurement no claim asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segmodels.efficiency.convention import Convention
from segmodels.efficiency.latency import LatencyProtocol
from segmodels.metrics.robustness import Robustness
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.evidence_summary import EvidenceSummary
from segmodels.verdicts.recounts import Recount
from segmodels.verdicts.row_subject import RowSubject
from segmodels.verdicts.verdict import Verdict
from segmodels.verdicts.weights_summary import WeightsSummary

#: How a number is measured; of a cost how it is counted or timed.
Method = Protocol | Convention | LatencyProtocol


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard: a verdict with everything needed to doubt it.

    What it looks like as flat data is described in docs/leaderboard-schema.md.

    Attributes:
        subject: the claim, statement or measurement.
        verdict: on it; its numbers are rounded to four decimals.
        protocol: how the number is measured; None for a statement, and where no source says.
        weights: behind the number; all empty for costs and statements.
        evidence: that the verdict rests on; None where there is none, and for costs.
        cost_file: the record of a counted cost, seen from the folder of the leaderboard.
        recounts: what third parties counted of the same weights, where it rests on other evidence.
        answered_by: name of the run that answers or would answer a claim, if there is one.
        figure: where the picture of a few images lies, seen from the folder of the leaderboard.
        command: what measures again.
    """

    subject: RowSubject
    verdict: Verdict
    command: str
    protocol: Method | None = None
    weights: WeightsSummary = field(default_factory=WeightsSummary)
    evidence: EvidenceSummary | None = None
    recounts: tuple[Recount, ...] = ()
    cost_file: str | None = None
    answered_by: str | None = None
    figure: str | None = None

    @property
    def protocol_name(self) -> str:
        """Name of the protocol or convention; "" where none is known."""
        return self.protocol.name if self.protocol else ""

    @property
    def protocol_title(self) -> str:
        """The protocol or convention in words; "" where none is known."""
        return self.protocol.title if self.protocol else ""

    @property
    def protocol_fields(self) -> dict[str, Any]:
        """The protocol field by field; empty for costs, and where none is known."""
        known = self.protocol if isinstance(self.protocol, Protocol) else None
        return {**known.inference, **known.scoring} if known else {}

    @property
    def run(self) -> str | None:
        """Name of the run whose number it is, or that answers or would answer the claim."""
        own = self.subject.measurement
        return own.run if own else self.answered_by

    @property
    def evidence_key(self) -> str | None:
        """Key of the evidence; None without any."""
        return self.evidence.key if self.evidence else None

    @property
    def evidence_file(self) -> str | None:
        """The evidence, or the record of a cost, seen from the folder of the leaderboard."""
        return self.evidence.file if self.evidence else self.cost_file

    def moved(self, before: Path, to: Path) -> Row:
        """The same row, its links seen from another folder than before."""

        def link(old: str) -> str:
            return Path(os.path.relpath(before / old, to)).as_posix()

        evidence = self.evidence and replace(self.evidence, file=link(self.evidence.file))
        return replace(
            self,
            evidence=evidence,
            recounts=tuple(replace(one, file=link(one.file)) for one in self.recounts),
            cost_file=self.cost_file and link(self.cost_file),
            figure=self.figure and link(self.figure),
        )

    @property
    def robustness(self) -> Robustness | None:
        """What disturbed copies of the evidence came to; None without any."""
        return self.evidence.robustness if self.evidence else None
