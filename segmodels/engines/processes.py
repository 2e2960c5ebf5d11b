"""Processes of this machine: the engine that the others are compared with."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
import weakref
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from segmodels.core.exits import STOPPED
from segmodels.engines.ctrl_c import ctrl_c_waits
from segmodels.engines.engine import FutureEngine, Piece, Refused, Result, Work, done_or_refused

_NEW = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang


class WorkerKilledError(Exception):
    """A process is gone."""


@dataclass(frozen=True)
class _Asked:
    work: Work[Any, Any]
    piece: Any
    future: Future[Any] = field(default_factory=Future)


#: What a process is asked for, in the order of asking; None ends the thread that takes it.
_Questions = queue.SimpleQueue[_Asked | None]


class ProcessEngine(FutureEngine):
    """Some processes, each with its share of the cores and, where there are some, a GPU.

    They end with their caller, however that ends. Python's own pool would do, but for what its
    thread prints when a process ends that it did not end itself, as with Ctrl-C.
    """

    name = "processes"

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._open()

    def _open(self) -> None:
        self._alive, self._hold = _NEW.Pipe(duplex=False)
        # Python waits for its processes when it ends, and they for this.
        self._let_go = weakref.finalize(self, self._hold.close)
        self._questions: _Questions = queue.SimpleQueue()
        self._crew: list[_Worker] = []

    def submit(self, work: Work[Piece, Result], piece: Piece) -> Future[Result | Refused]:
        """Begin one piece."""
        if len(self._crew) < self.workers:
            rank = len(self._crew)
            with ctrl_c_waits():
                self._crew.append(_Worker(self._questions, self._alive, rank, self.workers))
        asked = _Asked(work, piece)
        self._questions.put(asked)
        return asked.future

    def lost(self, error: Exception) -> bool:
        """Whether a process was killed."""
        return isinstance(error, WorkerKilledError)

    def recover(self) -> None:
        """Begin with new processes: those that are left may be at pieces nobody waits for."""
        self.close()
        self._open()

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._let_go()
        for worker in self._crew:
            worker.process.kill()
        for _ in self._crew:
            self._questions.put(None)
        for worker in self._crew:
            worker.thread.join()
            worker.process.join()
            worker.process.close()
        self._alive.close()


class _Worker:
    """A process, and the thread of the caller that asks it."""

    def __init__(self, questions: _Questions, alive: Connection, rank: int, workers: int) -> None:
        ours, its = _NEW.Pipe()
        self.process = _NEW.Process(target=_answer, args=(its, alive, rank, workers))
        with its:
            self.process.start()
        self.thread = threading.Thread(target=_ask, args=(questions, ours), daemon=True)
        self.thread.start()


def _ask(questions: _Questions, process: Connection) -> None:
    """Have one process do what is asked for, until that ends or the process does."""
    with process:
        while asked := questions.get():
            if not asked.future.set_running_or_notify_cancel():
                continue
            try:
                process.send((asked.work, asked.piece))
                answer, error = process.recv()
            except (EOFError, OSError):
                asked.future.set_exception(WorkerKilledError("a process is gone"))
                return
            except Exception as unsendable:
                asked.future.set_exception(unsendable)
            else:
                asked.future.set_exception(error) if error else asked.future.set_result(answer)


def _answer(caller: Connection, alive: Connection, rank: int, workers: int) -> None:
    """In a process: do what the caller asks for, for as long as there is one."""
    os.environ["LOCAL_RANK"] = str(rank)  # as torchrun would say it
    os.environ["LOCAL_WORLD_SIZE"] = str(workers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's, who lets us go
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            caller.send(_done(*caller.recv()))


def _done(work: Work[Any, Any], piece: Any) -> tuple[Any, Exception | None]:
    """What a piece gave, or what it raised, with the place where it did."""
    try:
        return done_or_refused(work, piece), None
    except Exception as error:
        error.add_note(traceback.format_exc())
        return None, error


def _end_with(caller: Connection) -> None:
    """End this process when the caller lets go of its end of a pipe."""
    with suppress(EOFError, OSError):
        caller.recv()
    os._exit(STOPPED)
