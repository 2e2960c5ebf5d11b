"""A command that ends with its caller, together with every process that it started.

:func:`run` puts a small supervisor (this file, run as a script) in front of a command. The
supervisor reads a pipe of which only the caller holds the other end, and ends the command's
whole process group as soon as that pipe closes. Stopping is therefore one action, whatever
the reason: cancelled, out of time, interrupted, or killed with SIGKILL when nobody could
have cleaned up. Only the standard library is imported, so that a supervisor costs little.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL
_TICK_SECONDS = 0.1
_PR_SET_CHILD_SUBREAPER = 36


class StoppedError(Exception):
    """The command was ended because the caller asked for it."""


class OutOfTimeError(Exception):
    """The command was ended because it took longer than allowed."""


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda _line: None,
    timeout: float | None = None,
    stop: threading.Event | None = None,
    grace: float = GRACE_SECONDS,
) -> int:
    """Run ``command``, call ``on_line`` with each line it prints, and return its exit code.

    However this call is left, nothing that the command started is left running.

    Raises:
        StoppedError: ``stop`` was set.
        OutOfTimeError: the command ran longer than ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout if timeout is not None else float("inf")
    supervisor = subprocess.Popen(
        [sys.executable, "-I", __file__, str(grace), *command],
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        for line in _lines(supervisor):
            if line:
                on_line(line)
            if stop is not None and stop.is_set():
                raise StoppedError
            if time.monotonic() > deadline:
                raise OutOfTimeError
    finally:
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        supervisor.wait()
    return supervisor.returncode


def _lines(supervisor: subprocess.Popen[bytes]) -> Iterator[str]:
    """Yield each line as it is printed, and an empty string at least once a tick.

    The end is the supervisor's end, not the end of its output: a service that the command
    left in the background would hold the pipe open for ever.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(supervisor, lines), daemon=True).start()
    while True:
        ended = supervisor.poll() is not None
        try:
            line = lines.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            if ended:
                return
            line = ""
        if line is None:
            break
        yield line
    while supervisor.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(_TICK_SECONDS)
        yield ""


def _read(supervisor: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    """Put every line into ``lines``; of a progress bar drawn over itself, its last state."""
    assert supervisor.stdout is not None
    with io.TextIOWrapper(supervisor.stdout, "utf-8", "replace", newline="\n") as stream:
        for line in stream:
            lines.put(line.rstrip().rsplit("\r", 1)[-1])
    lines.put(None)


# --- the supervisor: a process of its own between the caller and the command ----------


def _supervise(grace: float, command: Sequence[str]) -> int:
    """Run the command in a session of its own until it ends or the caller closes the pipe."""
    _adopt_orphans()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    ending = threading.Event()

    def end() -> None:
        ending.set()
        _end(child.pid, grace)

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 64):
                pass
        end()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    signal.signal(signal.SIGTERM, lambda *_: end())
    code = child.wait()
    if ending.is_set():
        watcher.join()
    return code if code >= 0 else 128 - code


def _end(group: int, grace: float) -> None:
    """Ask the process group to end, insist after ``grace`` seconds, then end stragglers."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        while _alive(group) and time.monotonic() < deadline:
            time.sleep(0.02)
            if number == signal.SIGKILL:
                _kill_children()


def _alive(group: int) -> bool:
    """Reap what has ended; true while the group, or an adopted orphan, lives on."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    else:
        return True
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _adopt_orphans() -> None:
    """Become the parent of orphans (Linux), so that one in another session is found too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_children() -> None:
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in listing.read_text().split():
                os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_supervise(float(sys.argv[1]), sys.argv[2:]))
