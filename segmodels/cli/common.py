"""What commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from segmodels.engines.engine import Engine

Command = Callable[[argparse.Namespace], int]


#: Who may count, besides this process (`segmodels.engines.opening`).
ENGINES = ("processes", "dask", "ray", "torchrun")

#: What `--skip-unreadable` does, wherever it is an option.
SKIP = "go on without single images of your copy that are damaged; results are then partial"


class Add(Protocol):
    """Makes the parser of a command: its name, what it runs, one line of help."""

    def __call__(self, name: str, command: Command, text: str) -> argparse.ArgumentParser:
        """The parser, to add arguments to."""


def device_option(parser: argparse.ArgumentParser) -> None:
    """`--device`."""
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, …")


def force_option(parser: argparse.ArgumentParser) -> None:
    """`--force`."""
    text = "count again although the evidence is here"
    parser.add_argument("--force", action="store_true", help=text)


def engine_options(parser: argparse.ArgumentParser) -> None:
    """`--engine`, `--engine-address` and `--shards`."""
    who = "who counts: processes of this machine, a cluster, or all that torchrun started"
    parser.add_argument("--engine", choices=ENGINES, help=f"{who} (docs/cluster.md)")
    where = "of a Dask scheduler or Ray cluster; without it one is begun here"
    parser.add_argument("--engine-address", metavar="ADDRESS", help=where)
    parts = "cut a split into N parts for the engine (default: one for each worker)"
    parser.add_argument("--shards", type=count, metavar="N", help=parts)


@contextmanager
def engine_of(chosen: argparse.Namespace) -> Iterator[Engine | None]:
    """The engine that options or the environment name; None where this process counts.

    Of several processes that torchrun started the first one's block is run with it, once all are
    there; to the others it is an engine that does not lead, which they are to `serve`.
    """
    from segmodels.engines.opening import asked_for, opened

    choice = asked_for(chosen.engine, chosen.engine_address, chosen.shards)
    if choice is None:
        yield None
        return
    chosen.shards = choice.shards
    with opened(choice, chosen.device) as engine:
        yield engine


def count(text: str) -> int:
    """A number of things on the command line, 1 or more."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return number


def relative(path: Path) -> Path:
    """A path as people type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
