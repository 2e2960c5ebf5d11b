"""Ctrl-C for the caller alone, and not for a process that it is about to start."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Until the block ends, Ctrl-C waits; a process that is started in it never gets one.

    A terminal sends it to all processes. One that Python is still starting would print where it
    was, and one whose starter was interrupted would find its instructions cut off.
    """
    earlier = signal.getsignal(signal.SIGINT)
    deferred: list[Any] = []
    defers = threading.current_thread() is threading.main_thread() and callable(earlier)
    if defers:  # another thread may get the signal, and the main one would act on it
        signal.signal(signal.SIGINT, lambda *given: deferred.append(given))
    try:
        with _blocked():
            yield
    finally:
        if defers:
            signal.signal(signal.SIGINT, earlier)
    if deferred and callable(earlier):
        earlier(*deferred[0])


@contextmanager
def _blocked() -> Iterator[None]:
    """What is blocked here is blocked in a process that is started here (not so on Windows)."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # starting it unblocks the signal
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)
