"""Pieces of which one kills its worker once: `python lost_worker.py ENGINE FOLDER [refuse|linger]`.

Prints what came back, a line for each piece. With `refuse` one piece is refused instead, with
`linger` no piece comes to an end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from segmodels.core.exits import ended
from segmodels.engines.opening import EngineChoice, opened
from segmodels.errors import SegmodelsError

PIECES = 4


def square(piece: tuple[int, str]) -> int:
    number, folder = piece
    begun = Path(folder) / f"begun-{number}"
    with begun.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if number == 1 and len(begun.read_text().split()) == 1:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def linger(piece: tuple[int, str]) -> int:
    """Begin, and do not end."""
    (Path(piece[1]) / f"lingers-{os.getpid()}").touch()
    time.sleep(300)
    return 0


def refuse(piece: tuple[int, str]) -> int:
    number, folder = piece
    if number == 1:
        with (Path(folder) / "refused").open("a") as file:
            file.write("once\n")
        raise SegmodelsError("piece 1 is wrong: write another.")
    return number


def main(engine: str, folder: str, kind: str = "") -> int:
    work = {"refuse": refuse, "linger": linger}.get(kind, square)
    with opened(EngineChoice(engine, shards=2), "cpu") as found:
        if not found.leads:
            found.serve()
            return 0
        pieces = [(number, folder) for number in range(PIECES)]
        for place, result in sorted(found.results(work, pieces)):
            print(place, result)
    return 0


if __name__ == "__main__":
    # Workers import the work by its name.
    import lost_worker

    raise SystemExit(ended(lambda: lost_worker.main(*sys.argv[1:])))
