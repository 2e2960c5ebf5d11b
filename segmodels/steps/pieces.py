"""Pieces of an evaluation that an engine deals out: what a worker is sent, and what it does.

A piece names everything by value but weights and images, which every worker has on its own disk:
before it counts, a worker compares the key of the evidence that it would make, into which go the
digests of its weights and the registered fingerprint of its images, with the key that it is asked
for. The images are decoded and compared as always: those of a condition by the worker, those of
shards when all are merged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from segmodels.core.environment import own_device
from segmodels.datasets import Dataset
from segmodels.datasets.opening import open_dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import Record, evaluate
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Evidence, Identity
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.suite import Condition, StressSuite, stressing
from segmodels.runs.run import Run
from segmodels.steps.loading import subject_of

#: What of an identity a worker's own files decide, in words.
_DECIDING = {
    "weights": "its weights are others",
    "model": "its weights describe another network",
    "preprocessing": "its weights describe another preprocessing",
    "fingerprint": "its images are others",
    "evaluator": "its segmodels is another version",
}


@dataclass(frozen=True)
class Piece:
    """What a worker is to count.

    Attributes:
        run, protocol: of the evaluation.
        device: where its network runs.
        identity: of the evidence that is wanted.
    """

    run: Run
    protocol: Protocol
    device: str
    identity: Identity

    def opened(self, condition: Condition | None = None) -> tuple[Subject, Dataset]:
        """The network and the images that this worker has.

        Raises:
            SegmodelsError: they are missing, or others than the piece is about.
        """
        dataset = open_dataset(self.run.dataset, self.run.split)
        clean = subject_of(self.run, own_device(self.device))
        self._check(identify(replace(clean, condition=condition), dataset, self.protocol))
        return clean, dataset

    def _check(self, found: Identity) -> None:
        if found.key == self.identity.key:
            return
        differ = [
            words
            for field, words in _DECIDING.items()
            if getattr(found, field) != getattr(self.identity, field)
        ]
        raise SegmodelsError(
            f"run {self.run.name!r} is not the same here as where it was asked for: "
            f"{' and '.join(differ) or 'its files in params/ are others'}. Bring both to the same "
            f"state (git, dvc pull) and try again."
        )


@dataclass(frozen=True)
class ShardPiece(Piece):
    """One shard of a split; `shard` is `(index, number)`."""

    shard: tuple[int, int]


@dataclass(frozen=True)
class ConditionPiece(Piece):
    """A whole split under one condition of a robustness suite."""

    condition: Condition
    suite: StressSuite


def count_shard(piece: ShardPiece) -> tuple[Evidence, Record]:
    """Count a shard where this is called."""
    subject, dataset = piece.opened()
    return evaluate(subject, dataset, piece.protocol, shard=piece.shard)


def count_condition(piece: ConditionPiece) -> tuple[Evidence, Record]:
    """Count a split under a condition where this is called."""
    clean, dataset = piece.opened(piece.condition)
    with stressing(clean, piece.condition, piece.suite.photographs) as subject:
        return evaluate(subject, dataset, piece.protocol)
