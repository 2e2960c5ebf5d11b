"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmodels.cli import (
    analysing,
    attacks,
    board,
    changes,
    checking,
    completing,
    costs,
    data,
    diagnosis,
    evaluating,
    evidence,
    examples,
    listing,
    project,
    robustness,
    schema,
    starting,
    watching,
    weights,
)
from segmodels.cli.common import Command
from segmodels.core.exits import ended
from segmodels.core.settings import DEBUG
from segmodels.versions import SOFTWARE

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["main"]

#: In the order of `segmodels --help`.
_GROUPS = (
    *(starting, listing, data, weights, watching, checking, evaluating, evidence),
    *(
        board,
        changes,
        robustness,
        examples,
        attacks,
        analysing,
        costs,
        diagnosis,
        project,
        schema,
        completing,
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns one of the codes of `segmodels.core.exits`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see flows/stages.py
    return ended(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    parser = _parser()
    if completing.ASKED in os.environ:
        completing.complete(parser)
    chosen = parser.parse_args(arguments)
    if getattr(chosen, "debug", False):
        os.environ[DEBUG] = "1"  # also for the processes that are started
    Path.cwd()  # in a folder that is gone, importing torch would end the process without a word
    command: Command = chosen.command
    return command(chosen)


class _Parser(argparse.ArgumentParser):
    """A parser that knows `--debug`, as do those of its commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        text = "show the traceback of an error, for a report"
        self.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=text)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """As argparse does, but what cannot be written is an error."""
        (file or sys.stdout).write(self.format_help())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="segmodels", description="Published semantic-segmentation results, checked."
    )
    parser.add_argument("--version", action="version", version=f"segmodels {SOFTWARE}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    for group in _GROUPS:
        group.add(add)
    return parser
