"""How a command ends: one line on standard error, and a code that says whether to try again."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from segmodels.core.hooks import short_of_threads, silent_at_exit
from segmodels.core.memory import is_of_memory
from segmodels.core.settings import DEBUG, debugging
from segmodels.errors import PassingError, SegmodelsError

DONE = 0
#: Something has to be changed first: trying again would end in the same way.
ERROR = 1
USAGE = 2
#: An error in segmodels itself.
CRASHED = 70
#: The same command may do better later: a connection, a server, somebody else at the same work.
PASSING = 75
#: By Ctrl-C.
STOPPED = 130

#: What to do about some of the operating system's refusals, which name only the refusal.
_FIXES = {
    errno.EACCES: "Ask its owner for permission, or name another place.",
    errno.EPERM: "Ask its owner for permission, or name another place.",
    errno.EROFS: "Name a place that can be written.",
    errno.ENOSPC: "Free some space and run again.",
    errno.EDQUOT: "Free some of your quota and run again.",
    errno.EIO: "The disk or its connection is failing.",
    errno.EMFILE: "Raise the limit with `ulimit -n`.",
    errno.ENFILE: "Close other programs and run again.",
    errno.ELOOP: "A link leads back to itself; remove it.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}

#: How oneDNN says that it cannot compute something; it does not say why.
_ONEDNN = re.compile(
    r"could not (?:create|construct|clone|make|execute|get|set)"
    r"(?: an?| the)?(?: zero)? (?:primitive|engine|stream|memory|post-ops)\b"
    r"|std::future_error: Broken promise"
)


def ended(work: Callable[[], int]) -> int:
    """Do the work of a command and say in one line what ended it.

    Nothing is raised but SystemExit, by which a parser of arguments ends. A traceback is shown
    before the line if somebody asked for it (`SEGMODELS_DEBUG=1`).

    Returns:
        its own code, or one of the above.
    """
    _open_streams()
    _prepare_to_end_threads()
    try:
        with short_of_threads():
            return _flushed(work)
    except BrokenPipeError:  # the reader of our output went away: `segmodels list | head`
        _discard(sys.stdout)
        return DONE
    except KeyboardInterrupt:
        _print("stopped; finished work is kept and taken up next time")
        return STOPPED
    except Exception as error:
        _discard_if_full(sys.stdout)
        if debugging():
            _print(traceback.format_exc().rstrip())
        text, code = _told(error)
        _print(f"error: {text}")
        return code
    finally:
        silent_at_exit()


def _flushed(work: Callable[[], int]) -> int:
    """Do the work; what cannot be written is noticed here and not when Python ends."""
    try:
        code = work()
    except SystemExit:  # of `--help`
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _told(error: Exception) -> tuple[str, int]:
    """An exception as one line, and the code that it ends with."""
    if isinstance(error, SegmodelsError):
        return str(error), PASSING if isinstance(error, PassingError) else ERROR
    if isinstance(error, OSError) and not is_of_memory(error):
        return refusal(error), PASSING if isinstance(error, ConnectionError) else ERROR
    if isinstance(error, UnicodeEncodeError):
        found = error.object[error.start : error.end]
        text = f"{found!r} cannot be written in the encoding {error.encoding!r} of this session."
        return f"{text} Set PYTHONUTF8=1.", ERROR
    if is_of_memory(error):
        return "There is not enough memory for this.", ERROR
    if (failed := _ONEDNN.search(str(error))) is not None:
        text = f"PyTorch's oneDNN failed ({failed[0]}); most often there is not enough memory."
        return f"{text} If there is, {DEBUG}=1 shows where it failed.", ERROR
    return _unforeseen(error), CRASHED


def refusal(error: OSError) -> str:
    """What the operating system refused, as a sentence: the path, its words, and a remedy."""
    if error.errno == errno.ENOENT and not _is_here():
        return "The current folder no longer exists; change into another."
    words = error.strerror or " ".join(str(error).split()) or type(error).__name__
    paths = [str(one) for one in (error.filename, error.filename2) if one not in (None, "")]
    refused = f"{' -> '.join(paths)}: {words}." if paths else f"{words}."
    return " ".join(filter(None, [refused, _FIXES.get(error.errno or 0)]))


def _unforeseen(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:200]
    what = f"{type(error).__name__}{words and f': {words}'}"
    return (
        f"This is a mistake in segmodels, not yours ({what}; {Path(last.filename).name} line "
        f"{last.lineno}). Please report it, with what `segmodels --debug …` or {DEBUG}=1 shows."
    )


def _is_here() -> bool:
    try:
        return bool(os.getcwd())  # noqa: PTH109 -- asks the system, and no more
    except OSError:
        return False


def _open_streams() -> None:
    """Streams that were closed lead nowhere; no letter is an error to a terminal that lacks it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _prepare_to_end_threads() -> None:
    """Have glibc load now what it needs when a thread ends.

    It loads that late, and ends the process if there is no memory left for it by then.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).backtrace((ctypes.c_void_p * 1)(), 1)


def _discard(stream: TextIO) -> None:
    """Send what waits to be written nowhere, or Python would complain of it once more at exit."""
    with suppress(OSError):  # a stream in memory has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _discard_if_full(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        _discard(stream)


def _print(text: str) -> None:
    with suppress(OSError):  # nobody can be told
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
