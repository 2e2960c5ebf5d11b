"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import os
import sys

from segmodels.cli import (
    board,
    checking,
    costs,
    data,
    diagnosis,
    evaluating,
    evidence,
    listing,
    project,
    schema,
)
from segmodels.cli.common import Command
from segmodels.core.exits import DONE, ended

__all__ = ["main"]

#: In the order of `segmodels --help`.
_GROUPS = (listing, data, checking, evaluating, evidence, board, costs, diagnosis, project, schema)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns one of the codes of `segmodels.core.exits`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see flows/stages.py
    chosen = _parser().parse_args(arguments)
    return ended(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> int:
    try:
        command: Command = chosen.command
        code = command(chosen)
        sys.stdout.flush()  # a reader that went away is noticed here, not at exit
        return code
    except BrokenPipeError:  # the reader of our output went away: `segmodels list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segmodels", description="Published semantic-segmentation results, checked."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    for group in _GROUPS:
        group.add(add)
    return parser
