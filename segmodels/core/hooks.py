"""What Python tells of errors that nobody catches: no traceback where they are about memory."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from segmodels.core.memory import is_of_memory


@contextmanager
def short_of_threads() -> Iterator[None]:
    """Within it, a thread that ends because there is no more memory is told of in one line.

    As those of MLflow and Prefect, whose errors reach no work of ours.
    """
    before = threading.excepthook

    def hook(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is None or not is_of_memory(found.exc_value):
            before(found)
            return
        name = found.thread.name if found.thread else "of no name"
        with suppress(OSError):  # nobody can be told
            sys.stderr.write(f"thread {name} ended: there is not enough memory for it.\n")

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def silent_at_exit() -> None:
    """Have nothing said of memory once Python ends: all is told, and all results are written.

    What PyTorch registers to be called at exit imports modules, and where memory has ended Python
    would show a traceback of each.
    """
    atexit.unregister(_ignore_memory)
    atexit.register(_ignore_memory)  # the last one registered is the first one called


def _ignore_memory() -> None:
    before = sys.unraisablehook

    def hook(found: sys.UnraisableHookArgs) -> None:
        if found.exc_value is None or not is_of_memory(found.exc_value):
            before(found)

    sys.unraisablehook = hook
