"""What evidence says, in numbers for `reports/local/metrics`."""

from __future__ import annotations

import numpy as np

from segmodels.evidence import Evidence
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import Run


def scores_of(run: Run, evidence: Evidence) -> dict[str, dict[str, float | None]]:
    """Scores under every protocol of the run that this evidence answers.

    Evidence in a precision that was asked for, but that no protocol of the run has, is scored
    as those in fp32 are.
    """
    protocols = of_inference(run, evidence)
    same = [p for p in protocols if p.precision == evidence.identity.precision]
    answered = same or [p for p in protocols if p.precision == "fp32"]
    return {p.name: _scores(evidence, p) for p in answered}


def of_inference(run: Run, evidence: Evidence) -> list[Protocol]:
    """The run's protocols whose inference the evidence shows."""
    protocols = map(load_protocol, run.protocols)
    return [p for p in protocols if p.inference_fp32 == evidence.identity.inference]


def _scores(evidence: Evidence, protocol: Protocol) -> dict[str, float | None]:
    found = score(evidence, protocol)
    return {
        "mIoU": percent(found.miou),
        "pixel_accuracy": percent(found.pixel_accuracy),
        "mean_accuracy": percent(found.mean_accuracy),
    }


def percent(value: float) -> float | None:
    """Four decimals; None where nothing was counted."""
    return None if np.isnan(value) else round(value, 4)
