"""How a command ends: one line on standard error, and a code that says whether to try again."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from segmodels.errors import PassingError, SegmodelsError

DONE = 0
#: Something has to be changed first: trying again would end in the same way.
ERROR = 1
USAGE = 2
#: An error in segmodels itself, printed as a traceback.
CRASHED = 70
#: The same command may do better later: a connection, a server, somebody else at the same work.
PASSING = 75
#: By Ctrl-C.
STOPPED = 130

#: What a machine refuses through nobody's mistake but its owner can change.
_REFUSED = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM))


def ended(work: Callable[[], int]) -> int:
    """Do the work of a command and say in one line what ended it.

    Returns:
        its own code, or one of the above. What is not foreseen is raised.
    """
    try:
        return work()
    except SegmodelsError as error:
        _print(f"error: {error}")
        return PASSING if isinstance(error, PassingError) else ERROR
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _print(f"error: {where}{error.strerror}.")
        return ERROR
    except KeyboardInterrupt:
        _print("stopped; finished work is kept and taken up next time")
        return STOPPED


def _print(text: str) -> None:
    sys.stderr.write(f"{text}\n")
