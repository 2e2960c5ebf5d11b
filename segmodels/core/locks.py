"""One process at a time for one piece of work, by locks of files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from segmodels.core.files import naming
from segmodels.core.notes import note
from segmodels.errors import PassingError

#: Seconds of waiting that no note is written about.
_QUIET = 1.0
_POLL = 0.05

#: The thread of this process that holds a lock: waiting for oneself would never end.
_HOLDERS: dict[Path, int] = {}


@contextmanager
def only_one(path: Path, work: str, wait: bool = False) -> Iterator[None]:
    """Hold an exclusive lock on `path` for the block.

    The system drops the lock when the process ends, however it ends, so a killed run never blocks
    the next one.

    Args:
        path: the lock file; its folder is made.
        work: what is done under the lock, for the message.
        wait: wait for another process instead of raising.

    Raises:
        PassingError: another process holds it; the message names the process. If `wait`, only
            where the caller itself holds it.
        OSError: the lock file cannot be made.
        SegmodelsError: the number of this process cannot be written beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    _acquire(lock, path, work, wait)
    try:
        with naming(path):
            _sign(path)
        _HOLDERS[path] = threading.get_ident()
        yield
    finally:
        _HOLDERS.pop(path, None)
        lock.release()


def _acquire(lock: FileLock, path: Path, work: str, wait: bool) -> None:
    own = _HOLDERS.get(path) == threading.get_ident()
    try:
        if own:
            raise Timeout(str(path))
        lock.acquire(timeout=_QUIET if wait else 0, poll_interval=_POLL)
    except Timeout:
        held = f"{work} is already being done by process {_holder(path)}"
        if own or not wait:
            raise PassingError(f"{held}. Wait for it or stop it.") from None
        note(f"{held}; waiting for it.")
        lock.acquire(poll_interval=_POLL)


def _sign(path: Path) -> None:
    _holder_file(path).write_text(str(os.getpid()))


def _holder_file(path: Path) -> Path:
    """Where the process that holds a lock says which it is; the lock file itself stays empty."""
    return path.with_name(f"{path.name}.pid")


def _holder(path: Path) -> str:
    try:
        return _holder_file(path).read_text().strip() or "unknown"
    except OSError:  # just taken, or in a folder that is being removed
        return "unknown"
