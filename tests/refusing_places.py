"""Commands and stages in places that refuse: `walk`, in a process of its own for each way.

What it takes from itself (rights, a folder to stand in) it cannot get back. Prints a JSON object
for each command line.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

#: Of `segmodels`; `{other}` is a folder beside the project, with weights.
COMMANDS = """
list runs | show toy_open | data | data check shapes | data forget shapes
weights | weights add published {other}/model.safetensors {other}/model.json
claims validate | verify toy_open | verify toy_open --force
evaluate tiny --force | evaluate published --force --keep-labels | train tiny | evidence check
evidence publish published | leaderboard | leaderboard --format csv --out board.csv
efficiency | doctor | suite quick | suite --check | protocols | schema
"""

#: Of the commands of dvc.yaml.
STAGES = """
download shapes | prepare shapes | weights published | train tiny | evaluate tiny plain
labels tiny plain | robustness tiny quick | efficiency | leaderboard | local_leaderboard
"""


def lines(text: str) -> list[str]:
    """Command lines, one a text."""
    return [line.strip() for part in text.strip().splitlines() for line in part.split("|")]


def closed(root: Path) -> None:
    """Files and folders are read-only, and not even root may write them (Linux's capset)."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, none)


def full(root: Path) -> None:
    """No file gets a byte more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def deleted(root: Path) -> None:
    """The folder stood in is gone."""
    gone = root.parent / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    del os.environ["SEGMODELS_ROOT"]


HOW: dict[str, Callable[[Path], None]] = {"full": full, "deleted": deleted, "closed": closed}


def outcome(main: Callable[[list[str]], int], words: list[str]) -> dict[str, object]:
    """What a command line printed and ended with."""
    out, error = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(error):
        try:
            code: object = main(words)
        except SystemExit as end:
            code = end.code
        except BaseException as crash:
            code = repr(crash)
    return {"code": code, "out": out.getvalue(), "error": error.getvalue()}


def walk(how: str, root: Path) -> None:
    """Take something away, then run everything."""
    from flows import stages
    from segmodels import cli

    HOW[how](root)
    told = []
    for main, text in ((cli.main, COMMANDS), (stages.main, STAGES)):
        for line in lines(text):
            words = line.replace("{other}", str(root.parent / "mirror")).split()
            told.append({"how": how, "line": line, "stage": text is STAGES, **outcome(main, words)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for one in told:
        print(json.dumps(one))
