"""What commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Command = Callable[[argparse.Namespace], int]


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


def relative(path: Path) -> Path:
    """A path as people type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
