"""Dealing an evaluation out to the workers of an engine, and putting together what comes back.

Workers send counts, which are small, and the process that asked writes them: so the machines need
to share no folder. What came back waits in the cache until all of it is there; who is killed
meanwhile asks for the rest only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from segmodels.datasets import Dataset
from segmodels.errors import SegmodelsError
from segmodels.evaluation.evaluate import Finish
from segmodels.evaluation.shards import merge_shards, put_shard, waits
from segmodels.evaluation.subject import Subject, identify
from segmodels.evidence import Evidence, Shard
from segmodels.protocols.protocol import Protocol
from segmodels.robustness.suite import Condition, StressSuite
from segmodels.runs.run import Run
from segmodels.steps.options import Options
from segmodels.steps.pieces import ConditionPiece, ShardPiece, count_condition, count_shard


def deal_shards(
    run: Run,
    subject: Subject,
    dataset: Dataset,
    protocol: Protocol,
    finish: Finish,
    options: Options,
) -> Evidence:
    """Have an engine count the shards of a split, and merge them.

    Args:
        run: the run that is evaluated.
        subject, dataset, protocol: the same, opened here.
        finish: keeps the whole evidence.
        options: with an engine.

    Raises:
        SegmodelsError: a worker refused its shard, or they cannot be merged.
    """
    assert options.engine is not None
    identity = identify(subject, dataset, protocol)
    number = min(options.shards or options.engine.workers, len(dataset))
    shards = [Shard(index, number) for index in range(number)]
    lacking = [one for one in shards if options.force or not waits(identity.key, one)]
    pieces = [
        ShardPiece(run, protocol, options.device, identity, (one.index, number)) for one in lacking
    ]
    told = _Told(options, len(dataset), len(dataset) - _images(lacking, len(dataset)))
    first: Evidence | None = None
    for _, (evidence, record) in options.engine.results(count_shard, pieces, told.again):
        first = first or evidence
        _check_software(first, evidence)
        put_shard(evidence, record)
        told.more(len(evidence.images))
    whole = merge_shards(identity.key, number, finish)
    if whole is None:
        raise SegmodelsError(
            f"evidence {identity.key}: shards vanished from the cache while others were counted; "
            f"another process deletes them. Run the same command again."
        )
    return whole


def deal_conditions(
    run: Run,
    clean: Subject,
    dataset: Dataset,
    protocol: Protocol,
    conditions: Sequence[Condition],
    suite: StressSuite,
    options: Options,
    keep: Callable[[Evidence], object],
) -> None:
    """Have an engine count a split under conditions, and keep the evidence of each as it comes."""
    assert options.engine is not None
    pieces = []
    for condition in conditions:
        identity = identify(dataclasses.replace(clean, condition=condition), dataset, protocol)
        pieces.append(
            ConditionPiece(run, protocol, options.device, identity, condition, suite),
        )
    images = sum(len(piece.identity.places(len(dataset))) for piece in pieces)
    told = _Told(options, images, 0)
    first: Evidence | None = None
    for _, (evidence, _) in options.engine.results(count_condition, pieces, told.again):
        first = first or evidence
        _check_software(first, evidence)
        keep(evidence)
        told.more(len(evidence.images))


def _images(shards: Sequence[Shard], images: int) -> int:
    """How many images are in shards of a split of so many."""
    return sum(len(range(one.index, images, one.number)) for one in shards)


def _check_software(first: Evidence, other: Evidence) -> None:
    """Evidence is of one set of packages: told when the second part comes, not behind the last."""
    if first.software != other.software:
        names = sorted(
            f"{name} {first.software.get(name)} and {other.software.get(name)}"
            for name in first.software.keys() | other.software.keys()
            if first.software.get(name) != other.software.get(name)
        )
        raise SegmodelsError(
            f"workers have different packages: {', '.join(names)}. Install the same on all of "
            f"them (pip install -c requirements.lock)."
        )


class _Told:
    """Progress in images: it grows with every part, and is told again meanwhile.

    Whoever watches can end the work between two parts.
    """

    def __init__(self, options: Options, total: int, done: int) -> None:
        self._progress, self._total, self._done = options.progress, total, done

    def more(self, images: int) -> None:
        """So many images came back."""
        self._done += images
        self.again()

    def again(self) -> None:
        """Tell how many there are."""
        if self._progress:
            self._progress(self._done, self._total)
