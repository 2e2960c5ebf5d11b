"""Which evidence answers which claim or run. Content decides, never a file name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from segmodels.assets.entries import DatasetEntry, Split, WeightsEntry
from segmodels.claims import SCORES, Claim
from segmodels.core.files import digest, first_file, read_json
from segmodels.evidence import Evidence
from segmodels.metrics.precision_effect import effect_under
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import Run
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.obstacles import OTHER_NETWORK, Obstacle


def asks_for(run: Run, claim: Claim) -> bool:
    """Whether a run evaluates the weights of a claim the way the claim was measured."""
    return (
        (run.weights, run.dataset, run.split) == (claim.weights, claim.dataset, claim.split)
        and run.weights is not None
        and claim.metric in SCORES
        and claim.protocol in run.protocols
    )


def answers(run: Run, claim: Claim) -> bool:
    """Whether evidence of a run answers a claim: with its weights, or trained again for it."""
    return asks_for(run, claim) or claim.id in run.retrains


def has_released_weights(evidence: Evidence, entry: WeightsEntry) -> bool:
    """Whether evidence is of released weights: by what they are, never by their name."""
    return evidence.identity.weights in entry.identities


def other_network(
    claim: Claim, entry: WeightsEntry | None, evidences: Iterable[Evidence]
) -> Obstacle | None:
    """Why what was counted says nothing about a claim: it is of another network, or of the same
    one with other arguments. None where it is the claim's.
    """
    if entry and entry.model != claim.model:
        text = f"The weights {entry.name!r} are those of {entry.model!r}, not of {claim.model!r}."
        return Obstacle(OTHER_NETWORK, text)
    asked = {"name": claim.model, **claim.overrides}
    for evidence in evidences:
        for name, wanted in asked.items():
            if not _equal(found := evidence.identity.model.get(name), wanted):
                text = (
                    f"Evidence {evidence.key} is of a network whose {name} is {found!r}; that of "
                    f"the claim is {wanted!r}."
                )
                return Obstacle(OTHER_NETWORK, text)
    return None


def _equal(found: object, wanted: object) -> bool:
    """As JSON has it, where tuples are lists."""
    return digest(found) == digest(wanted)


def as_prepared(entry: DatasetEntry, *descriptions: Path) -> DatasetEntry:
    """An entry whose splits have the fingerprints of the images that are here, where nobody has
    registered any.

    Args:
        entry: of `params/datasets.yaml`.
        descriptions: folders of `<dataset>.json` as `prepare` writes them.
    """
    path = first_file(descriptions, f"{entry.name}.json")
    splits = dict(entry.splits)
    for name, split in (read_json(path)["splits"] if path else {}).items():
        known = splits.get(name, Split())
        # Where images were skipped, the fingerprint is that of the others.
        if known.fingerprint is None and "skipped" not in split:
            splits[name] = known.replace(fingerprint=split["fingerprint"])
    return entry.replace(splits=splits)


def best(
    candidates: Iterable[Found], dataset: DatasetEntry | None, split: str, protocol: Protocol
) -> Found | None:
    """The evidence to judge by.

    Our own goes before a third party's, then complete evidence before partial, then the newest
    evaluator, then more images, then what this machine counted before what was published. Where
    there is none in full precision, evidence in less is taken if it says what this did to the
    number, which the reader must be told (`effect_sentence`). A protocol of less than full
    precision is answered in that precision alone.

    Args:
        candidates: evidence of the right weights, split and inference.
        dataset: images of another fingerprint or number than this entry lists are another data
            set, unless some were left out, which is told; None takes any.
        split: of the dataset.
        protocol: how counts become the number.
    """
    listed = dataset.splits.get(split, Split()) if dataset else Split()
    fitting = [found for found in candidates if _is_of(listed, found.evidence)]
    exact = [f for f in fitting if f.evidence.identity.precision == protocol.precision]
    with_effect = [f for f in fitting if effect_under(f.evidence, protocol)]
    lesser = with_effect if protocol.precision == "fp32" else []
    return max(exact or lesser, key=_merit, default=None)


def _is_of(listed: Split, evidence: Evidence) -> bool:
    # What remains when some images were left out has a fingerprint of its own.
    same = evidence.skipped or listed.fingerprint in (None, evidence.identity.fingerprint)
    return bool(same) and listed.images in (None, evidence.expected_images)


def _merit(found: Found) -> tuple[bool, bool, int, int, bool, str]:
    evidence = found.evidence
    evaluator, seen = evidence.identity.evaluator, len(evidence.images)
    return not found.by, evidence.complete, evaluator, seen, found.local, evidence.key
