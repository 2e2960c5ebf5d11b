from __future__ import annotations

import pytest

from segmodels.core.exits import DONE, ERROR, PASSING, STOPPED, ended
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
        (OSError(28, "No space left", "/a/b"), ERROR, "error: /a/b: No space left."),
        (PermissionError(13, "Permission denied"), ERROR, "error: Permission denied."),
        (KeyboardInterrupt(), STOPPED, "stopped; finished work is kept and taken up next time"),
    ],
)
def test_the_end_is_one_line_and_a_code(error, code, line, capsys):
    assert ended(fails(error)) == code
    assert capsys.readouterr().err == f"{line}\n"


def test_work_that_is_done_says_nothing(capsys):
    assert ended(lambda: DONE) == 0
    assert ended(lambda: 7) == 7
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ZeroDivisionError(), FileNotFoundError(2, "missing", "a")])
def test_what_is_not_foreseen_is_raised(error):
    with pytest.raises(type(error)):
        ended(fails(error))
