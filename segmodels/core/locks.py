"""One process at a time for one piece of work."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from segmodels.core.files import naming
from segmodels.core.notes import note
from segmodels.errors import PassingError

#: Seconds of waiting that nobody needs to be told about.
_QUIET = 1.0
_TICK = 0.05

#: The thread of this process that holds a lock: waiting for oneself would never end.
_HOLDERS: dict[Path, int] = {}


@contextmanager
def only_one(path: Path, work: str, wait: bool = False) -> Iterator[None]:
    """Hold an exclusive lock on `path` for the block.

    The kernel drops the lock when the process ends, however it ends, so a killed run never
    blocks the next one, while an orphan that still works is noticed.

    Args:
        path: the lock file; its folder is made.
        work: what is done under the lock, for the message.
        wait: wait for another process instead of raising.

    Raises:
        PassingError: another process holds it; the message names the process. If `wait`, only
            where the caller itself holds it.
        SegmodelsError: the lock file cannot be written.
    """
    with _opened(path) as handle:
        if not _taken(handle, _QUIET if wait else 0):
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            if not wait or _HOLDERS.get(path) == threading.get_ident():
                raise PassingError(
                    f"{work} is already being done by process {holder}. Wait for it or stop it."
                )
            note(f"{work} is already being done by process {holder}; waiting for it.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        with naming(path):
            _sign(handle)
        _HOLDERS[path] = threading.get_ident()
        try:
            yield
        finally:
            del _HOLDERS[path]


def _opened(path: Path) -> IO[str]:
    # What is refused here names its path; who asks says what to do about it.
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+")


def _sign(handle: IO[str]) -> None:
    """Write who holds it, past the buffer: what a full disk refuses must not be tried once more."""
    os.ftruncate(handle.fileno(), 0)
    os.write(handle.fileno(), str(os.getpid()).encode())


def _taken(handle: IO[str], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK)
        else:
            return True
