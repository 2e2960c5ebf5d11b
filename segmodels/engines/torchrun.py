"""The processes that torchrun started: each does its share, and the first gets all results.

    torchrun --nnodes 2 --nproc-per-node 4 … -m segmodels.cli evaluate RUN --engine torchrun

Results are sent (gloo), so the machines need to share no folder. Where one process is lost,
torchrun ends the others and, with `--max-restarts`, begins again; finished images are taken up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from segmodels.engines.engine import (
    Engine,
    Piece,
    Result,
    Watch,
    Work,
    done_or_refused,
    result_of,
    unwatched,
)
from segmodels.engines.joining import join
from segmodels.errors import SegmodelsError

#: Processes that are done wait for the slowest.
_PATIENCE = timedelta(days=7)


class TorchrunEngine(Engine):
    """Piece i is done by process i mod n."""

    name = "torchrun"

    def __init__(self) -> None:
        if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
            raise SegmodelsError(
                "--engine torchrun is for processes that torchrun started: "
                "torchrun --nproc-per-node N -m segmodels.cli evaluate RUN --engine torchrun"
            )
        join("gloo", _PATIENCE)
        self.workers, self._rank = dist.get_world_size(), dist.get_rank()
        self.leads = self._rank == 0
        self._amid = False

    def results(
        self, work: Work[Piece, Result], pieces: Sequence[Piece], watch: Watch = unwatched
    ) -> Iterator[tuple[int, Result]]:
        """Do all pieces; see `Engine.results`. All results come when the last is done."""
        self._say([work, list(pieces)])
        self._amid = True
        answers = self._share(work, pieces, watch)
        self._amid = False
        for place, answer in answers:
            yield place, result_of(answer)

    def serve(self) -> None:
        """Do the share of this process of whatever the first asks for."""
        if self.leads:
            return
        while True:
            work, pieces = self._hear()
            if work is None:
                dist.destroy_process_group()
                return
            self._share(work, pieces, unwatched)

    def close(self) -> None:
        """Let the others go; amid a share they wait for this process, and torchrun ends them."""
        if self.leads:
            if not self._amid:
                self._say([None, None])
            dist.destroy_process_group()

    def _say(self, words: list[Any]) -> None:
        dist.broadcast_object_list(words, src=0)

    def _hear(self) -> list[Any]:
        words = [None, None]
        dist.broadcast_object_list(words, src=0)
        return words

    def _share(
        self, work: Work[Any, Any], pieces: Sequence[Any], watch: Watch
    ) -> list[tuple[int, Any]]:
        """Answers of this process; from all processes, in the first."""
        own = []
        for place in range(self._rank, len(pieces), self.workers):
            watch()
            own.append((place, done_or_refused(work, pieces[place])))
        every: list[Any] | None = [None] * self.workers if self.leads else None
        dist.gather_object(own, every)
        return sorted((one for share in every or [] for one in share), key=lambda pair: pair[0])
