"""Processes of this machine: the engine that the others are compared with."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from segmodels.core.exits import STOPPED
from segmodels.engines.engine import FutureEngine, Piece, Refused, Result, Work, done_or_refused

_NEW = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang


class ProcessEngine(FutureEngine):
    """A pool of processes, each with its share of the cores and, where there are some, a GPU.

    They end with their caller, however that ends.
    """

    name = "processes"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._open()

    def _open(self) -> None:
        alive, self._hold = _NEW.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(
            self.workers, _NEW, _begin, (alive, _NEW.Value("i", 0), self.workers)
        )
        self._alive = alive

    def submit(self, work: Work[Piece, Result], piece: Piece) -> Future[Result | Refused]:
        """Begin one piece."""
        return self._pool.submit(done_or_refused, work, piece)

    def lost(self, error: Exception) -> bool:
        """Whether a process was killed."""
        return isinstance(error, BrokenProcessPool)

    def recover(self) -> None:
        """Begin a new pool: one that lost a process does nothing any more."""
        self.close()
        self._open()

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._hold.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._alive.close()


def _begin(alive: Connection, turns: Any, workers: int) -> None:
    """Set a process up: its number among all, as torchrun would say it, and its end."""
    with turns.get_lock():
        number, turns.value = turns.value, turns.value + 1
    os.environ["LOCAL_RANK"] = str(number % workers)
    os.environ["LOCAL_WORLD_SIZE"] = str(workers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's, who lets them go
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()


def _end_with(caller: Connection) -> None:
    """End this process when the caller lets go of its end of a pipe."""
    with suppress(EOFError, OSError):
        caller.recv()
    os._exit(STOPPED)
