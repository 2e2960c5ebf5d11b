"""An engine: it does pieces of work somewhere, and does a piece again whose worker was lost.

A piece and its result are sent, so both are small and can be pickled; the work is a function that
every worker can import. What a worker refuses (`SegmodelsError`, an error of its file system) is
sent back as a sentence, so that no engine takes wrong input for a lost worker and tries it again.
"""

from __future__ import annotations

import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from segmodels.core.exits import refusal
from segmodels.errors import PassingError, SegmodelsError

Piece = TypeVar("Piece")
Result = TypeVar("Result")

#: What is done with a piece.
Work: TypeAlias = Callable[[Piece], Result]

#: Called now and then while others work; what it raises ends the work.
Watch = Callable[[], None]


def unwatched() -> None:
    """Nobody wants to know."""


#: Seconds between two looks at whether the caller still wants the work.
TICK_SECONDS = 0.5

#: How often the work of one call is begun again after a worker was lost.
TRIES = 3

#: A worker with several threads (Dask) does one piece at a time: PyTorch's number of threads is
#: one setting of a process, and decides how a network rounds.
_TURN = threading.Lock()


@dataclass(frozen=True)
class Refused:
    """What a worker would not or could not do.

    Attributes:
        text: why, in one line that names the worker.
        passing: whether it may pass by itself.
    """

    text: str
    passing: bool


def done_or_refused(work: Work[Piece, Result], piece: Piece) -> Result | Refused:
    """Do a piece where a worker is."""
    try:
        with _TURN:
            return work(piece)
    except SegmodelsError as error:
        return Refused(f"{_here()}: {error}", isinstance(error, PassingError))
    except OSError as error:
        return Refused(f"{_here()}: {refusal(error)}", isinstance(error, ConnectionError))


def _here() -> str:
    return f"worker {socket.gethostname()}, process {os.getpid()}"


def result_of(answer: Result | Refused) -> Result:
    """What a worker sent back.

    Raises:
        SegmodelsError: it refused.
    """
    if isinstance(answer, Refused):
        raise PassingError(answer.text) if answer.passing else SegmodelsError(answer.text)
    return answer


class Engine(ABC):
    """Does pieces of work, several at a time.

    Attributes:
        name: as `--engine` names it.
        workers: pieces at a time when it was opened, at least 1.
        leads: whether this process deals out the work. Under torchrun the first does; the others
            `serve` it.
    """

    name: str
    workers: int
    leads = True

    @abstractmethod
    def results(
        self, work: Work[Piece, Result], pieces: Sequence[Piece], watch: Watch = unwatched
    ) -> Iterator[tuple[int, Result]]:
        """Do all pieces; yields the place of each and its result, in the order they are done.

        Args:
            work: what is done, a function of a module that workers can import.
            pieces: what it is done with.
            watch: called now and then; what it raises ends the work.

        Raises:
            SegmodelsError: a worker refused a piece; nothing more is begun.
            PassingError: workers were lost again and again.
        """

    def serve(self) -> None:
        """Do pieces for the process that leads, until that ends."""
        assert self.leads, "an engine with processes that do not lead says how they serve"

    @abstractmethod
    def close(self) -> None:
        """End what was begun, and the workers if they are this engine's own."""


class FutureEngine(Engine):
    """An engine whose pieces are futures, as those of `concurrent.futures`, Dask and Ray are."""

    @abstractmethod
    def submit(self, work: Work[Piece, Result], piece: Piece) -> Future[Result | Refused] | Any:
        """Begin one piece."""

    @abstractmethod
    def lost(self, error: Exception) -> bool:
        """Whether an error says that a worker is gone, and not that the work failed."""

    def recover(self) -> None:
        """Make ready to begin pieces again; an engine that does so itself needs nothing."""

    def results(
        self, work: Work[Piece, Result], pieces: Sequence[Piece], watch: Watch = unwatched
    ) -> Iterator[tuple[int, Result]]:
        """Do all pieces; see `Engine.results`."""
        left, tries = dict(enumerate(pieces)), TRIES
        while left:
            try:
                for place, result in self._attempt(work, left, watch):
                    del left[place]
                    yield place, result
            except Exception as error:
                if not self.lost(error):
                    raise
                if not tries:
                    raise PassingError(
                        f"engine {self.name!r}: workers were lost {TRIES + 1} times "
                        f"({type(error).__name__}), perhaps for want of memory; "
                        f"{len(left)} of {len(pieces)} pieces are not done. Try again, with more "
                        f"shards or fewer workers."
                    ) from error
                tries -= 1
                self.recover()

    def _attempt(
        self, work: Work[Piece, Result], left: dict[int, Piece], watch: Watch
    ) -> Iterator[tuple[int, Result]]:
        waiting = {self.submit(work, piece): place for place, piece in left.items()}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
                watch()
                for future in sorted(done, key=_failed):  # what came back is not done again
                    yield waiting.pop(future), result_of(future.result())
        finally:
            for future in waiting:
                future.cancel()


def _failed(future: Future[Any]) -> bool:
    return future.cancelled() or future.exception() is not None
