"""Which evidence answers which claim or run. Content decides, never a file name."""

from __future__ import annotations

from collections.abc import Iterable

from segmodels.assets import DatasetEntry, WeightsEntry
from segmodels.claims import Claim
from segmodels.evidence import Evidence
from segmodels.protocols import Protocol
from segmodels.runs import Run


def asks_for(run: Run, claim: Claim) -> bool:
    """Whether a run evaluates the weights of a claim the way the claim was measured."""
    return (
        (run.weights, run.dataset, run.split) == (claim.weights, claim.dataset, claim.split)
        and run.weights is not None
        and claim.protocol in run.protocols
    )


def has_released_weights(evidence: Evidence, entry: WeightsEntry) -> bool:
    """By checksum; by name only where the authors publish no checksum."""
    published = {digest for file in entry.files for digest in file.sha256}
    if published:
        return evidence.identity.weights in published
    return evidence.weights_origin.get("released") == entry.name


def is_trained_by(evidence: Evidence, run: Run) -> bool:
    """Whether the weights come out of this run's training."""
    return evidence.weights_origin.get("trained") == run.name


def best_answer(
    candidates: Iterable[Evidence],
    asked: Claim | Run,
    protocol: Protocol,
    dataset: DatasetEntry | None,
) -> Evidence | None:
    """The evidence on the asked images under the protocol's inference, in full precision.

    Complete evidence goes before partial, then the newest evaluator, then more images.

    Args:
        candidates: evidence of the right weights.
        asked: the claim or run that names dataset and split.
        protocol: its protocol.
        dataset: images with another fingerprint than this entry lists are another data set;
            None takes any.
    """
    listed = dataset.splits.get(asked.split, {}).get("fingerprint") if dataset else None
    fitting = [
        evidence
        for evidence in candidates
        if (evidence.identity.dataset, evidence.identity.split) == (asked.dataset, asked.split)
        and evidence.identity.inference == protocol.inference
        and evidence.identity.condition is None
        and evidence.identity.precision == "fp32"
        and listed in (None, evidence.identity.fingerprint)
    ]
    return max(fitting, key=_merit, default=None)


def _merit(evidence: Evidence) -> tuple[bool, int, int, str]:
    return evidence.complete, evidence.identity.evaluator, len(evidence.images), evidence.key


_SUBJECT = (
    "weights",
    "model",
    "preprocessing",
    "dataset",
    "split",
    "fingerprint",
    "inference",
    "precision",
    "evaluator",
)


def is_disturbed_copy(disturbed: Evidence, clean: Evidence) -> bool:
    """Whether only the condition differs and the clean evidence holds all its images."""
    needed = disturbed.identity.images or disturbed.expected_images
    return needed <= len(clean.images) and all(
        getattr(disturbed.identity, name) == getattr(clean.identity, name) for name in _SUBJECT
    )


def obstacle(weights: WeightsEntry | None, dataset: DatasetEntry) -> str | None:
    """Why nobody can check a number, one sentence per missing thing; None when all is there."""
    if weights is None:
        return "The weights behind this number are not known."
    entries = (("weights are", weights), ("dataset is", dataset))
    found = [f"The {what} {e.state}: {e.reason}." for what, e in entries if e.state != "ok"]
    return " ".join(found) or None
