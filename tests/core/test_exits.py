from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segmodels.core.exits import CRASHED, DONE, ERROR, PASSING, STOPPED, ended
from segmodels.errors import PassingError, SegmodelsError


def fails(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SegmodelsError("wrong"), ERROR, "error: wrong"),
        (PassingError("nobody answers"), PASSING, "error: nobody answers"),
        (KeyboardInterrupt(), STOPPED, "stopped; finished work is kept and taken up next time"),
        (ConnectionRefusedError(111, "Connection refused"), PASSING, "error: Connection refused."),
        (FileNotFoundError(2, "missing", "a"), ERROR, "error: a: missing."),
        (OSError("cannot\nidentify"), ERROR, "error: cannot identify."),
        (MemoryError(), ERROR, "error: There is not enough memory for this."),
        (OSError(errno.ENOMEM, "x"), ERROR, "error: There is not enough memory for this."),
        (
            OSError("a.png: codec configuration error when writing image file"),
            ERROR,
            "error: There is not enough memory for this.",
        ),
        (RuntimeError("[enforce fail a"), ERROR, "error: There is not enough memory for this."),
    ],
)
def test_the_end_is_one_line_and_a_code(error, code, line, capsys):
    assert ended(fails(error)) == code
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize(
    "number",
    [
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
        *(errno.EMFILE, errno.ENFILE, errno.ELOOP, errno.ENAMETOOLONG),
    ],
)
def test_what_the_system_refuses_comes_with_a_remedy(number, capsys):
    assert ended(fails(OSError(number, os.strerror(number), "/a/b"))) == ERROR
    line = capsys.readouterr().err
    assert line.startswith(f"error: /a/b: {os.strerror(number)}. ")
    assert line.endswith(".\n")
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        "could not create a primitive",
        "could not execute a primitive",
        "could not create an engine",
        "could not create a memory",
        "could not create a zero memory",
        "could not get an engine",
        "could not set primitive",
        "std::future_error: Broken promise",
    ],
)
def test_a_computation_that_fails_without_a_reason_is_told_as_that(words, capsys):
    assert ended(fails(RuntimeError(words))) == ERROR
    line = capsys.readouterr().err
    assert line.startswith(f"error: PyTorch's oneDNN failed ({words}); most ")
    assert "not enough memory" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("words", ["could not create an account", "could not open a memory"])
def test_other_failures_are_not_told_as_a_computation(words, capsys):
    assert ended(fails(RuntimeError(words))) == CRASHED
    assert "memory." not in capsys.readouterr().err


#: What is called at exit fails; another module registered it while we worked.
AT_EXIT = """
import atexit, sys
from segmodels.core.exits import ended

def last():
    raise {error}

def work():
    atexit.register(last)
    return 0

sys.exit(ended(work))
"""


@pytest.mark.parametrize(
    ("error", "told"),
    [("MemoryError", False), ("RuntimeError('std::bad_alloc')", False), ("ValueError", True)],
)
def test_memory_that_is_missing_at_exit_is_no_matter(error, told):
    command = [sys.executable, "-c", AT_EXIT.format(error=error)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == DONE
    assert ("Traceback" in done.stderr) == told, done.stderr


#: A thread fails that another package began.
IN_A_THREAD = """
import sys, threading
from segmodels.core.exits import ended

def fail():
    raise {error}

def work():
    thread = threading.Thread(target=fail, name="watcher")
    thread.start()
    thread.join()
    return 0

sys.exit(ended(work))
"""


def test_memory_that_ends_in_a_thread_is_one_line():
    def told(error: str) -> str:
        command = [sys.executable, "-c", IN_A_THREAD.format(error=error)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == DONE
        return done.stderr

    assert told("MemoryError") == "thread watcher ended: there is not enough memory for it.\n"
    assert "Traceback" in told("ValueError")


#: A thread of a C library ends when no file can be opened any more.
LAST_THREAD = """
import ctypes, os, resource, threading
from segmodels.core.exits import ended

def work():
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    libc = ctypes.CDLL(None)
    begin = ctypes.cast(libc.pthread_exit, ctypes.c_void_p)
    thread = ctypes.c_ulong()
    assert libc.pthread_create(ctypes.byref(thread), None, begin, None) == 0
    assert libc.pthread_join(thread, None) == 0
    return 0

os._exit(ended(work))
"""


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="threads end otherwise elsewhere")
def test_a_thread_can_end_when_nothing_can_be_loaded_any_more():
    command = [sys.executable, "-c", LAST_THREAD]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (DONE, "")


def test_another_check_of_pytorch_is_not_about_memory(capsys):
    assert ended(fails(RuntimeError("[enforce fail at inline_container.cc:1] . bad"))) == CRASHED
    assert "not enough memory" not in capsys.readouterr().err


def test_a_move_names_both_places(capsys):
    ended(fails(OSError(errno.EACCES, "Permission denied", "/a", None, "/b")))
    assert capsys.readouterr().err.startswith("error: /a -> /b: Permission denied. ")


def test_a_folder_that_was_deleted_under_us(tmp_path: Path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert ended(lambda: len(str(Path.cwd()))) == ERROR
    assert capsys.readouterr().err == (
        "error: The current folder no longer exists; change into another.\n"
    )


def test_work_that_is_done_says_nothing(capsys):
    assert ended(lambda: DONE) == 0
    assert ended(lambda: 7) == 7
    assert capsys.readouterr().err == ""


def test_what_is_not_foreseen_asks_for_a_report(capsys):
    assert ended(fails(ZeroDivisionError("by\nzero"))) == CRASHED
    line = capsys.readouterr().err
    assert line.startswith(
        "error: This is a mistake in segmodels, not yours (ZeroDivisionError: by"
    )
    assert "test_exits.py line " in line
    assert "segmodels --debug" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), SegmodelsError("wrong"), OSError("wrong")])
def test_a_traceback_for_those_who_ask(error, capsys, monkeypatch):
    monkeypatch.setenv("SEGMODELS_DEBUG", "1")
    assert ended(fails(error)) in (ERROR, CRASHED)
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "Traceback (most recent call last):"
    assert shown[-1].startswith("error: ")


def test_streams_that_were_closed_lead_nowhere(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert ended(lambda: print("to nobody") or (sys.stdout.write("nor this") and 3)) == 3
    assert ended(fails(SegmodelsError("unheard"))) == ERROR
    sys.stdout.close()
    sys.stderr.close()
