from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from segmodels.core import locks
from segmodels.core.locks import only_one
from segmodels.errors import PassingError, SegmodelsError

HOLD = """
import sys, time
from pathlib import Path
from segmodels.core.locks import only_one
with only_one(Path(sys.argv[1]), "the work"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "work.lock"


@pytest.fixture
def holder(path):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def enter(path):
    """Take the lock; the process that is said to hold it meanwhile."""
    with only_one(path, "the work"):
        return holder_of(path)


def holder_of(path):
    return path.with_name("work.lock.pid").read_text()


def test_the_lock_names_its_holder(path):
    assert enter(path) == str(os.getpid())
    assert enter(path) == str(os.getpid())


def test_a_full_disk_names_the_lock_file(path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(locks, "_sign", full)
        with pytest.raises(SegmodelsError, match=r"work\.lock: No space left on device\.$"):
            enter(path)
    assert enter(path) == str(os.getpid())


def test_a_second_process_is_refused_and_told_whom_to_wait_for(path, holder):
    with pytest.raises(SegmodelsError, match=f"^the work is .* by process {holder.pid}. Wait for"):
        enter(path)
    assert holder_of(path) == str(holder.pid)


def test_a_killed_process_blocks_nobody(path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert enter(path) == str(os.getpid())


def test_the_same_process_is_refused_too(path):
    with only_one(path, "the work"), pytest.raises(SegmodelsError, match=str(os.getpid())):
        enter(path)
    assert enter(path) == str(os.getpid())


def test_who_waits_is_told_for_whom_and_gets_it(path, holder, monkeypatch):
    told = []

    def note(text):
        told.append(text)
        holder.kill()

    monkeypatch.setattr(locks, "_QUIET", 0.0)
    monkeypatch.setattr(locks, "note", note)
    with only_one(path, "the work", wait=True):
        assert holder_of(path) == str(os.getpid())
    assert told == [f"the work is already being done by process {holder.pid}; waiting for it."]


def test_waiting_for_oneself_would_never_end(path):
    with (
        only_one(path, "the work", wait=True),
        pytest.raises(PassingError, match=str(os.getpid())),
        only_one(path, "the work", wait=True),
    ):
        pass
    assert enter(path) == str(os.getpid())


def test_a_failure_inside_frees_the_lock(path):
    with pytest.raises(ZeroDivisionError), only_one(path, "the work"):
        raise ZeroDivisionError
    assert enter(path) == str(os.getpid())


def test_an_unreadable_holder_is_unknown(path):
    with only_one(path, "the work"):
        path.with_name("work.lock.pid").write_text("")
        with pytest.raises(SegmodelsError, match="by process unknown"):
            enter(path)
