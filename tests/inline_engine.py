"""An engine that does everything at once in this process, as sent: what arrives was pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from segmodels.engines.engine import FutureEngine, done_or_refused


class LostError(Exception):
    """A worker is gone."""


class InlineEngine(FutureEngine):
    """Counts what it did; `kill` says before which pieces, by their number, a worker is lost."""

    name = "inline"

    def __init__(self, workers: int = 2, kill: tuple[int, ...] = ()) -> None:
        self.workers, self.kill = workers, kill
        self.begun = self.recovered = 0
        self.pieces: list[Any] = []

    def submit(self, work: Callable[[Any], Any], piece: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.begun += 1
        if self.begun in self.kill:
            future.set_exception(LostError())
            return future
        self.pieces.append(piece)
        sent = pickle.loads(pickle.dumps((work, piece)))
        future.set_result(pickle.loads(pickle.dumps(done_or_refused(*sent))))
        return future

    def lost(self, error: Exception) -> bool:
        return isinstance(error, LostError)

    def recover(self) -> None:
        self.recovered += 1

    def close(self) -> None:
        pass
