"""One process at a time for one piece of work."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segmodels.errors import SegmodelsError


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
        SegmodelsError: another process holds it; the message names the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise SegmodelsError(
                f"{work} is already being done by process {holder}. Wait for it or stop it."
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
