"""What stands in the way of checking a claim. Looks at `params/` only, fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segmodels.assets.entries import DatasetEntry, WeightsEntry
from segmodels.claims import PERCENT, Claim
from segmodels.models import list_models
from segmodels.robustness.corruptions import CORRUPTIONS

_WEIGHTS = {
    "gated": "weights gated",
    "lost": "link lost",
    "unpublished": "weights unpublished",
    "unsupported": "not implemented",
}
_DATASET = {
    "gated": "gated data",
    "lost": "link lost",
    "unpublished": "gated data",
    "unsupported": "no reader",
}
#: Nothing but a training is missing.
NEEDS_RETRAINING = "needs retraining"
_UNKNOWN_WEIGHTS = {
    "no": ("weights unpublished", "The source gives out no weights for it{}."),
    "yes": ("weights not registered", "Weights are given out{}, but not registered here."),
    "unknown": (NEEDS_RETRAINING, "No weights of this number are known{}."),
}

#: What another training of the weights would take the place of.
OF_WEIGHTS = ("weights unpublished", "weights gated", "weights not registered", "link lost")

#: What is here belongs to another network than the claim is about.
OTHER_NETWORK = "weights of another network"


@dataclass(frozen=True)
class Obstacle:
    """One reason: its kind in `params/verdict.yaml` and one sentence about this claim."""

    kind: str
    text: str


def obstacles(
    claim: Claim, weights: WeightsEntry | None, dataset: DatasetEntry | None
) -> list[Obstacle]:
    """Everything that keeps a claim from being checked here; empty when nothing does.

    Args:
        claim: the claim.
        weights: the entry it names, if any.
        dataset: the entry it names; None for `any`.
    """
    found = [*_network(claim), *_measure(claim)]
    if claim.metric in PERCENT:
        found += [*_weights(claim, weights), *_dataset(dataset)]
    return found


def _network(claim: Claim) -> Iterator[Obstacle]:
    if claim.model not in list_models() and claim.undescribed:
        yield Obstacle("network not described", f"{claim.undescribed.rstrip('.')}.")
    elif claim.model not in list_models():
        yield Obstacle("not implemented", f"The network {claim.model!r} is not implemented here.")
    if claim.corruption and claim.corruption not in CORRUPTIONS:
        yield Obstacle(
            "not implemented", f"The corruption {claim.corruption!r} is not implemented here."
        )


def _measure(claim: Claim) -> Iterator[Obstacle]:
    if claim.metric == "fps":
        yield Obstacle("another device", "A speed is never compared across devices.")
    elif not claim.protocol:
        statement = f"says only: {claim.stated}" if claim.stated else "says nothing about it"
        yield Obstacle(
            "protocol not stated", f"How it was measured is not known; the source {statement}."
        )


def _weights(claim: Claim, entry: WeightsEntry | None) -> Iterator[Obstacle]:
    if entry is None:
        kind, text = _UNKNOWN_WEIGHTS[claim.released]
        yield Obstacle(kind, text.format(f" ({claim.checkpoint})" if claim.checkpoint else ""))
    elif entry.state != "ok":
        yield Obstacle(_WEIGHTS[entry.state], f"The weights are {entry.state}: {entry.reason}.")


def _dataset(entry: DatasetEntry | None) -> Iterator[Obstacle]:
    if entry is not None and entry.state != "ok":
        yield Obstacle(_DATASET[entry.state], f"The dataset is {entry.state}: {entry.reason}.")
