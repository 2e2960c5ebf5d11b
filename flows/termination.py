"""A flow in a plain process that is told to end (SIGTERM), as batch systems do."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Exit code of a program that SIGTERM ended, as shells say it.
TERMINATED = 128 + signal.SIGTERM


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM ends this process as an exception does, with all that it started.

    Prefect lets the signal end the process at once after it has ended the run; then the server that
    it started for a single command would go on for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
