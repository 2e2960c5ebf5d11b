"""An incomplete download: bytes at their final place, and a note of which are there.

The note never claims more than the file holds, so that a download goes on after `kill -9`.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated

from pydantic import Field

from segmodels.core.entry import Entry, Several, read_entry
from segmodels.core.files import read_json, readable_size, write_json
from segmodels.core.settings import CACHE
from segmodels.errors import SegmodelsError

#: From one byte up to, not including, another; None where the end is not known.
Span = tuple[int, int | None]

#: Seconds between two notes; what came since the last one is fetched again after a crash.
SAVE_SECONDS = 1.0


class _Note(Entry):
    """The note of a file.

    Attributes:
        size, validator: as `Partial` has them.
        done: bytes that are there, each from one up to, not including, another.
    """

    size: int | None = None
    validator: str
    done: Several[Annotated[tuple[int, int], Field(strict=False)]]


class Partial:
    """The bytes of a file that have arrived so far. Several threads may write.

    Attributes:
        path: where the bytes are; holes are not there yet.
        size: of the whole file, once a server has reported it.
        validator: ETag, or date of the last change, of what is being fetched; empty if the server
            gives neither.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.note = path.with_suffix(".json")
        self.size: int | None = None
        self.validator = ""
        self._done: list[tuple[int, int]] = []
        self._saved = 0.0
        self._lock = threading.Lock()
        self._recall()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def __enter__(self) -> Partial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            try:
                self._save()
            finally:
                os.close(self._file)

    @property
    def have(self) -> int:
        """Number of bytes that have arrived."""
        return sum(end - start for start, end in self._done)

    def missing(self) -> list[Span]:
        """Spans that have not arrived, in order."""
        starts = [0, *(end for _, end in self._done)]
        ends = [*(start for start, _ in self._done), self.size]
        return [(s, e) for s, e in zip(starts, ends, strict=True) if e is None or s < e]

    def clear(self) -> None:
        """Drop all bytes, size and validator."""
        with self._lock:
            self.size, self.validator, self._done = None, "", []
            os.ftruncate(self._file, 0)
            self._save()

    def expect(self, size: int | None, validator: str) -> None:
        """Note what a server reports of the file.

        Raises:
            SegmodelsError: it does not fit on the disk.
        """
        self.size, self.validator = size, validator
        free, lacking = shutil.disk_usage(self.path.parent).free, (size or 0) - self.have
        if free < lacking:
            raise SegmodelsError(
                f"{self.path.parent}: {readable_size(free)} are free, {readable_size(lacking)} are "
                f"still to come. Make room, or set {CACHE} to a folder on another disk."
            )

    def write(self, at: int, data: bytes) -> None:
        """Write bytes at their place in the file."""
        left = memoryview(data)
        while left:
            written = os.pwrite(self._file, left, at)  # a disk that fills up takes a part
            with self._lock:
                self._add(at, at + written)
                if time.monotonic() - self._saved > SAVE_SECONDS:
                    self._save()
            left, at = left[written:], at + written

    @staticmethod
    def forget(path: Path) -> None:
        """Remove the file, if it is still there, and its note."""
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)

    def _add(self, start: int, end: int) -> None:
        merged: list[tuple[int, int]] = []
        for low, high in sorted([*self._done, (start, end)]):
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        self._done = merged

    def _save(self) -> None:
        os.fdatasync(self._file)  # a note that is on the disk before its bytes would be a lie
        note = _Note(size=self.size, validator=self.validator, done=tuple(self._done))
        write_json(self.note, vars(note))
        self._saved = time.monotonic()

    def _recall(self) -> None:
        """Read the note; one that is broken, or speaks of bytes that have gone, counts nothing."""
        try:
            note = read_entry(_Note, str(self.note), read_json(self.note))
            there = self.path.stat().st_size
        except (SegmodelsError, OSError):
            return
        if not all(0 <= start < end <= there for start, end in note.done):
            return
        self.size, self.validator = note.size, note.validator
        for start, end in note.done:
            self._add(start, end)
