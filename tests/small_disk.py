"""A disk of a few hundred kilobytes that is really full: a tmpfs, where one may be mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """Mount one at a folder, which is made, and take it away again; what was there is hidden.

    Skips the test where that is not allowed.
    """
    place.mkdir(parents=True, exist_ok=True)
    size = f"size={kilobytes}k,nr_inodes=2000"
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {told.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def grow(place: Path, kilobytes: int) -> None:
    """Make room on it."""
    size = f"remount,size={kilobytes}k"
    subprocess.run(["mount", "-o", size, str(place)], check=True)


def room(place: Path) -> int:
    """Kilobytes that are free."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize // 1024
