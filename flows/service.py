"""A process that was started to go on by itself: known for ever, and ended with its children."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil

GRACE_SECONDS = 15.0

#: In the environment of a service, and so of what it starts: its log.
MARK = "SEGMODELS_SERVICE_LOG"


@dataclass(frozen=True)
class Service:
    """A process that was started in a session of its own.

    Attributes:
        name: what it is.
        pid, born: number of the process and when it began (seconds since 1970): together they
            name it for ever, while a number alone may be another process's later.
        address: where people look at it; empty for the worker.
        log: file of what it prints.
    """

    name: str
    pid: int
    born: float
    address: str
    log: str

    @property
    def process(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.born) < 1.0
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def left(self) -> list[psutil.Process]:
        """What it started and did not take along when it was killed, as the port it listened on.

        They are of its session, and were told so: a number may be another session's later.
        """
        return [one for one in psutil.process_iter() if self._is_left(one)]

    def _is_left(self, one: psutil.Process) -> bool:
        try:
            inside = one.pid != self.pid and os.getsid(one.pid) == self.pid
            return inside and one.environ().get(MARK) == self.log
        except (OSError, psutil.Error):  # gone, or somebody else's
            return False


def end(service: Service) -> None:
    """Ask the process to end, then what is left of its children, and insist after a while."""
    process = service.process
    if process is None:
        _end_all(service.left)
        return
    left = [*process.children(recursive=True), process]
    process.terminate()
    psutil.wait_procs([process], timeout=GRACE_SECONDS)
    _end_all(left)


def _end_all(left: list[psutil.Process]) -> None:
    for ask in ("terminate", "kill"):
        left = [one for one in left if one.is_running()]
        for one in left:
            with suppress(psutil.NoSuchProcess):
                getattr(one, ask)()
        psutil.wait_procs(left, timeout=GRACE_SECONDS)
