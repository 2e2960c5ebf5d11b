"""Waiting for what other processes do. pytest-timeout ends a test whose wait is in vain."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def until(condition: Callable[[], object], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait for a condition; fail if the process that is to bring it about has ended."""
    while not condition():
        assert process is None or process.poll() is None, f"{process.args!r} has ended"
        time.sleep(0.02)


def text_of(file: Path) -> str:
    """What a file says, once it says something."""
    until(lambda: file.exists() and file.read_text().strip())
    return file.read_text()


def growing(seconds: float) -> Iterator[float]:
    """Limits of time to try one after another: on a busy machine the first may be too short."""
    while True:
        yield seconds
        seconds *= 2
