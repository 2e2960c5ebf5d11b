"""All evidence of a project, sorted so that the answer to a claim is found without a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segmodels.assets import WeightsEntry
from segmodels.evidence import Evidence, Identity, evidence_files, images_asked, read_evidence
from segmodels.files import digest
from segmodels.leaderboard.robustness import merge_images

#: Evidence below a folder of this name comes from others; the folder below it is their name.
THIRD_PARTY = "third-party"

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


@dataclass(frozen=True)
class Found:
    """A piece of evidence and where it lies.

    Attributes:
        path: its `<key>.json`.
        evidence: what stands there.
        by: the third party it comes from.
        unpinned: that it is of the weights asked for is told by their name alone.
    """

    path: Path
    evidence: Evidence
    by: str = ""
    unpinned: bool = False


class Shelf:
    """Evidence of a folder: clean by question and weights, disturbed by what was disturbed.

    A question is a dataset, a split and an inference.
    """

    def __init__(self, folder: Path) -> None:
        self._clean: dict[tuple[str, str], list[Found]] = defaultdict(list)
        self._disturbed: dict[str, list[Found]] = defaultdict(list)
        for path in evidence_files(folder):
            self._put(path, read_evidence(path), third_party(path, folder))

    def _put(self, path: Path, evidence: Evidence, by: str) -> None:
        identity, origin = evidence.identity, evidence.weights_origin
        if identity.condition is None:
            question = _question(identity.dataset, identity.split, identity.inference)
            # What others say of where weights come from is their word; a checksum is not.
            named = () if by else ("released", "trained")
            told = (f"{kind} {origin.get(kind)}" for kind in named)
            for weights in (f"sha256 {identity.weights}", *told):
                self._clean[question, weights].append(Found(path, evidence, by))
        elif not by:
            self._disturbed[_subject(identity)].append(Found(path, merge_images(evidence)))

    def released(
        self, dataset: str, split: str, inference: dict[str, Any], entry: WeightsEntry
    ) -> list[Found]:
        """Undisturbed evidence of released weights, by what they are.

        By their name only where no checksum is known at all, which the evidence found then says.
        """
        question = _question(dataset, split, inference)
        if entry.unknown:
            named = self._clean.get((question, f"released {entry.name}"), ())
            return [replace(found, unpinned=True) for found in named]
        sums = (f"sha256 {identity}" for identity in entry.identities)
        return [found for name in sums for found in self._clean.get((question, name), ())]

    def trained(self, dataset: str, split: str, inference: dict[str, Any], run: str) -> list[Found]:
        """Undisturbed evidence of the weights that a run trained."""
        question = _question(dataset, split, inference)
        return self._clean.get((question, f"trained {run}"), [])

    def disturbed(self, clean: Evidence) -> list[Found]:
        """Evidence that differs by its condition alone, where clean evidence holds its images.

        Its images are merged into one.
        """
        copies = self._disturbed.get(_subject(clean.identity), [])
        return [found for found in copies if images_asked(found.evidence) <= len(clean.images)]


def third_party(path: Path, folder: Path) -> str:
    """Who the evidence of a file comes from, "" for our own."""
    parts = path.relative_to(folder).parts
    return parts[1] if parts[0] == THIRD_PARTY and len(parts) > 2 else ""


def conditions(found: Iterable[Found]) -> list[Evidence]:
    """The evidence alone."""
    return [one.evidence for one in found]


def _question(dataset: str, split: str, inference: dict[str, Any]) -> str:
    return digest([dataset, split, inference])


def _subject(identity: Identity) -> str:
    return digest([getattr(identity, name) for name in _SUBJECT])
