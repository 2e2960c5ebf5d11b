"""Numbers on a command line, read with one line for whatever is none."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """A reader of whole numbers for a command line."""

    def read(text: str) -> int:
        if re.fullmatch(r"\d{1,9}", text) and int(text) >= least:
            return int(text)
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least {least}, found {text!r}"
        )

    return read


def hours(text: str) -> float:
    """A time on a command line."""
    if re.fullmatch(r"\d{1,6}(\.\d*)?|\.\d+", text) and float(text) > 0:
        return float(text)
    raise argparse.ArgumentTypeError(f"expected hours such as 0.5, found {text!r}")
