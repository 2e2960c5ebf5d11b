"""All evidence of a project, sorted so that the answer to a claim is found without a search."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segmodels.assets.entries import WeightsEntry
from segmodels.core.files import digest
from segmodels.errors import SegmodelsError
from segmodels.evidence import (
    Evidence,
    Identity,
    check_pixels,
    evidence_files,
    read_evidence,
)
from segmodels.evidence.adding import same_counts
from segmodels.evidence.blocks import Blocks
from segmodels.evidence.check import check_part
from segmodels.evidence.places import has_images_of, images_asked
from segmodels.metrics.robustness import merge_images
from segmodels.training.provenance import (
    INITIAL,
    Training,
    first_change,
    training_digest,
    training_in,
)

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
    """A piece of evidence and where it lies, which says nothing about it.

    Attributes:
        path: its `<key>.json`.
        evidence: what stands there.
        unpinned: whether only their name, or the first digits of their checksum, say that it is of
            the weights asked for.
        local: it lies where this machine keeps what it counted.
        published: file of published evidence with the very same counts, if it is local.
        contradicts: published evidence of the very same evaluation has other counts.
    """

    path: Path
    evidence: Evidence
    unpinned: bool = False
    local: bool = False
    published: Path | None = None
    contradicts: bool = False

    @property
    def by(self) -> str:
        """Name of the third party who counted it; empty for our own."""
        return self.evidence.counted.third_party


#: Digits of a sha256 by which weights are found of which no more is published.
_FIRST = 8


class EvidenceIndex:
    """All evidence: clean by question and weights, disturbed by what was disturbed.

    A question is a dataset, a split and an inference. What this machine counted stands for
    published evidence of the same key, with the same counts or with others: another processor
    may round a few pixels to another class.

    Args:
        folder: of published evidence.
        local: of evidence of this machine; None leaves it out.
    """

    def __init__(self, folder: Path, local: Path | None = None) -> None:
        self._clean: dict[tuple[str, str], list[Found]] = defaultdict(list)
        self._disturbed: dict[str, list[Found]] = defaultdict(list)
        descriptions = [one.parent / "datasets" for one in (local, folder) if one]
        published = _pieces(folder, descriptions)
        here = _pieces(local, descriptions) if local else []
        theirs = {piece.key: piece for piece in published if piece.ours}
        mine = {piece.key for piece in here if piece.ours}
        for piece in here:
            self._put(piece.beside(theirs.get(piece.key)))
        for piece in published:
            if not (piece.ours and piece.key in mine):
                self._put(piece.found)

    def _put(self, found: Found) -> None:
        identity, ours = found.evidence.identity, found.evidence.counted.ours
        if identity.condition is None:
            question = _question(identity.dataset, identity.split, identity.inference)
            # What others say of where weights come from is their word; a checksum is not.
            origin = _origin(found.evidence.weights_origin) if ours else ()
            sums = (f"sha256 {identity.weights}", f"begins {identity.weights[:_FIRST]}")
            for weights in (*sums, *origin):
                self._clean[question, weights].append(found)
        elif ours:
            self._disturbed[_subject(identity)].append(found)

    def released(
        self, dataset: str, split: str, inference: dict[str, Any], entry: WeightsEntry
    ) -> list[Found]:
        """Undisturbed evidence of released weights, by what they are.

        By their name, or of others by the first digits of their checksum, only where no whole one
        is known, which the evidence found then says.
        """
        question = _question(dataset, split, inference)
        if entry.unknown:
            named = self._clean.get((question, f"released {entry.name}"), [])
            found = named + [one for one in self._fitting(question, entry) if one.by]
            return [replace(one, unpinned=True) for one in found]
        sums = (f"sha256 {identity}" for identity in entry.identities)
        return [found for name in sums for found in self._clean.get((question, name), ())]

    def _fitting(self, question: str, entry: WeightsEntry) -> list[Found]:
        """Evidence whose weights begin with the digits that are published of an entry."""
        digits = entry.files[0].sha256_prefix[:_FIRST] if entry.files else ""
        alike = self._clean.get((question, f"begins {digits}"), ())
        return [found for found in alike if entry.may_be(found.evidence.identity.weights)]

    def trained(
        self, dataset: str, split: str, inference: dict[str, Any], asked: Training
    ) -> list[Found]:
        """Undisturbed evidence of the weights that a training gives, whatever its run is called."""
        question = _question(dataset, split, inference)
        alike = self._clean.get((question, _trained_by(asked)), [])
        return [found for found in alike if not first_change(training_in(found.evidence), asked)]

    def trained_before(
        self, dataset: str, split: str, inference: dict[str, Any], run: str
    ) -> list[Found]:
        """Undisturbed evidence of whatever a run of this name trained, then or now."""
        question = _question(dataset, split, inference)
        kinds = ("trained", "own")
        return [one for kind in kinds for one in self._clean.get((question, f"{kind} {run}"), [])]

    def disturbed(self, clean: Evidence) -> list[Found]:
        """Evidence that differs by its condition alone, where clean evidence holds its images.

        Its images are merged into one.

        Raises:
            SegmodelsError: a piece of a part of the split has other labels than these images.
        """
        copies = self._disturbed.get(_subject(clean.identity), [])
        found = [one for one in copies if has_images_of(clean, one.evidence)]
        for one in found if clean.counted.ours else ():  # what others counted accuses nobody
            check_part(one.path, one.evidence, clean)
        return found


@dataclass(frozen=True)
class _Indexed:
    """Evidence of one folder.

    Attributes:
        found: as the index gives it.
        counts: equal for equal counts of every image, where both are in the same
        blocks: of images, if they are in blocks.
    """

    found: Found
    counts: int
    blocks: Blocks | None

    @property
    def key(self) -> str:
        return self.found.evidence.key

    @property
    def sums(self) -> float:
        """How many counts tell its images apart."""
        return math.inf if self.blocks is None else len(self.blocks.sizes)

    @property
    def ours(self) -> bool:
        """Whether this project counted all of it."""
        return self.found.evidence.counted.ours and self.found.evidence.shard is None

    def same(self, other: _Indexed) -> bool:
        """Whether another piece has the same counts, in whatever form."""
        if self.blocks == other.blocks:
            return self.counts == other.counts
        return same_counts(read_evidence(self.found.path), read_evidence(other.found.path))

    def beside(self, published: _Indexed | None) -> Found:
        """What this machine keeps, beside published evidence of the same key."""
        if published is None or not self.ours:
            return replace(self.found, local=True)
        if not self.same(published):
            return replace(self.found, local=True, contradicts=True)
        return replace(self.found, local=True, published=published.found.path)


def _pieces(folder: Path, descriptions: Iterable[Path]) -> list[_Indexed]:
    """All that can be judged by of the evidence of a folder, sorted by path.

    Raises:
        SegmodelsError: a piece is broken, or two count one and the same thing otherwise.
    """
    pieces: list[_Indexed] = []
    ours: dict[str, _Indexed] = {}
    for path in evidence_files(folder):
        evidence = read_evidence(path)
        check_pixels(path, evidence, *descriptions)
        piece = _indexed(path, evidence)
        if evidence.counted.ours:
            _check_same(ours.setdefault(evidence.key, piece), piece)
        whole = evidence.shard is None and len(evidence.images) == images_asked(evidence)
        if evidence.identity.condition is None or whole:
            pieces.append(piece)
    return _each_once(pieces)


def _each_once(pieces: Iterable[_Indexed]) -> list[_Indexed]:
    """Of several copies of one disturbed count, the one with the fewest images to a sum.

    A mean over seeds has each of them once. Undisturbed copies may differ in what trained them.
    """
    kept: dict[object, _Indexed] = {}
    for piece in pieces:
        alone = piece.found.evidence.identity.condition is None or not piece.ours
        name = piece.found.path if alone else piece.key
        if name not in kept or piece.sums > kept[name].sums:
            kept[name] = piece
    return list(kept.values())


def _indexed(path: Path, evidence: Evidence) -> _Indexed:
    """A few disturbed pieces at a time fit in memory with all their images."""
    clean = evidence.identity.condition is None
    found = Found(path, evidence if clean else merge_images(evidence))
    return _Indexed(found, hash(evidence.images), evidence.blocks)


def _check_same(before: _Indexed, piece: _Indexed) -> None:
    """Refuse two counts of one and the same thing: which of them is right nobody here can say."""
    if not piece.same(before):
        raise SegmodelsError(
            f"{piece.found.path}: other counts than {before.found.path}, which is of the very same "
            f"evaluation. Count it again (segmodels evaluate RUN --force) or remove the wrong one."
        )


def _origin(origin: dict[str, Any]) -> Iterator[str]:
    for kind in ("released", "trained", "own"):
        if kind in origin:
            yield f"{kind} {origin[kind]}"
    if "training" in origin:
        yield _trained_by(origin["training"])


def _trained_by(training: Training) -> str:
    # Where nobody registered the training images, or the weights it begins with, a run does not
    # say which they are.
    known = {name: value for name, value in training.items() if name != INITIAL}
    return f"training {training_digest({**known, 'fingerprint': None})}"


def conditions(found: Iterable[Found]) -> list[Evidence]:
    """The evidence alone."""
    return [one.evidence for one in found]


def _question(dataset: str, split: str, inference: dict[str, Any]) -> str:
    return digest([dataset, split, inference])


def _subject(identity: Identity) -> str:
    return digest([getattr(identity, name) for name in _SUBJECT])
