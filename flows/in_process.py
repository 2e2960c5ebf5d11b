"""What flows share that work in their own process, without DVC: one run, one claim.

They see every image that is done, and stop between two of them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from segmodels.core.progress import TimeLeft, duration
from segmodels.core.settings import ROOT
from segmodels.errors import PassingError, SegmodelsError

#: Between two states of the progress artifact.
SHOW_SECONDS = 2.0
#: Times that a task tries again what may pass by itself, and seconds before each.
TRIES, WAIT_SECONDS = 3, [10.0, 60.0, 300.0]


class StoppedError(SegmodelsError):
    """This flow run was cancelled; what is counted waits in the cache."""


class Shown:
    """Progress as an artifact of the current task, with the time that is left.

    Calling it raises `StoppedError` once the flow run is ending.
    """

    def __init__(self, what: str, stop: threading.Event, unit: str = "images") -> None:
        self._what, self._stop, self._unit, self._next = what, stop, unit, 0.0
        self._left, self._whole = TimeLeft(), False
        artifact = create_progress_artifact(0.0, description=what)
        assert isinstance(artifact, UUID)
        self._artifact = artifact

    def __call__(self, done: int, total: int) -> None:
        """So many of all are done."""
        if self._stop.is_set():
            raise StoppedError(f"Stopped after {done} of {total} {self._unit}.")
        self._whole = done == total
        now = time.monotonic()
        left = self._left(done, total, now)
        if done == total or now >= self._next:
            self._next = now + SHOW_SECONDS
            text = f"{self._what}: {done} of {total} {self._unit}"
            text += "" if left is None else f", {duration(left)} left"
            update_progress_artifact(self._artifact, 100.0 * done / total, description=text)

    def end(self) -> None:
        """The task is done: what it did not come to was there already."""
        if not self._whole:
            text = f"{self._what}: the rest was there already"
            update_progress_artifact(self._artifact, 100.0, description=text)


def may_pass(task: object, task_run: object, state: State[Any]) -> bool:
    """Whether a task that failed may do better later: a connection may, wrong input does not.

    Nor does what was stopped. Whatever is no error of ours may be the machine's.
    """
    del task, task_run
    error = state.data
    return isinstance(error, PassingError) or not isinstance(error, SegmodelsError)


#: Options of a task that is tried again where that may help, and never taken from a cache.
AGAIN: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "retries": TRIES,
    "retry_delay_seconds": WAIT_SECONDS,
    "retry_condition_fn": may_pass,
}


@contextmanager
def project_at(root: str) -> Iterator[None]:
    """Let the library find its project there."""
    before = os.environ.get(ROOT)
    if root != ".":
        os.environ[ROOT] = str(Path(root).resolve())
    try:
        yield
    finally:
        os.environ.pop(ROOT, None)
        os.environ.update({} if before is None else {ROOT: before})
