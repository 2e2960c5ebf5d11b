"""Write docs/commands.md: every command, with what it takes, as their parsers say it.

python docs/commands.py
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard
from unittest.mock import patch

HERE = Path(__file__).resolve().parent

HEAD = """# Commands

<!-- Written by `python docs/commands.py` from the parsers; a test keeps it true. Do not edit. -->

Every command also takes `--help`, and those of `segmodels` take `--debug`, which shows the
traceback of an error. What they end with: [exit codes](interruptions.md#exit-codes).
`python -m segmodels` is `segmodels`.
"""

FLOWS = """
## Stages, flows and servers

These need the extra `flows`: Prefect, DVC and MLflow.
"""

#: Parts of `flows.parts`, in the order of what they need.
PARTS = (
    *("download", "prepare", "train", "evaluate", "robustness", "leaderboard"),
    *("verify-claim", "watch"),
)

#: What help says of the machine that shows it.
_OF_THIS_MACHINE = (
    (re.compile(r"default here: \d+"), "default: as many as the machine has room for"),
    (re.compile(r"this machine's, [\w/+-]+"), "this machine's"),
)


def parser_of(program: Callable[[], object]) -> argparse.ArgumentParser:
    """The parser that a program makes; the program ends where it would parse."""
    found: list[argparse.ArgumentParser] = []

    def caught(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        found.append(parser)
        raise SystemExit

    with (
        patch.object(argparse.ArgumentParser, "parse_args", caught),
        contextlib.suppress(SystemExit),
    ):
        program()
    (parser,) = found
    return parser


def leaves(
    parser: argparse.ArgumentParser, about: str | None = None
) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Every parser that can be used as it is, commands and actions of them, with what it does."""
    branches = [action for action in parser._actions if _is_branch(action)]
    if not any(branch.required for branch in branches):
        yield parser, parser.description or about or ""
    for branch in branches:
        helps = {choice.dest: choice.help for choice in branch._choices_actions}
        for name, sub in branch.choices.items():
            yield from leaves(sub, helps.get(name))


def _is_branch(action: argparse.Action) -> TypeGuard[argparse._SubParsersAction[Any]]:
    return isinstance(action, argparse._SubParsersAction)


def section(parser: argparse.ArgumentParser, about: str, depth: int) -> str:
    """A command as a heading, a sentence, and a table of what it takes."""
    lines = [f"\n{'#' * depth} {parser.prog}\n", _sentence(about)]
    rows = [row for action in parser._actions if (row := _row(action))]
    if rows:
        lines += ["\n| argument | |\n|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    said = " ".join(text.split("\n\n", maxsplit=1)[0].split()).replace("``", "`")
    return f"{said[:1].upper()}{said[1:].rstrip('.:')}."


def _row(action: argparse.Action) -> str:
    if action.dest in ("help", "debug") or _is_branch(action):
        return ""
    said = (action.help or "").replace("%%", "%")
    if action.choices and not action.metavar:
        listed = ", ".join(f"`{choice}`" for choice in action.choices)
        said = f"{said}: {listed}" if said else listed
    for pattern, words in _OF_THIS_MACHINE:
        said = pattern.sub(words, said)
    default = action.default
    if default not in (None, False, argparse.SUPPRESS, [], "") and "default" not in said:
        said = f"{said} (default: {default})".strip()
    said = said.replace("<", r"\<")  # else the name of a file to fill in would be a tag of HTML
    cells = (cell.replace("|", r"\|") for cell in (_names(action), said))
    return f"| {' | '.join(cells)} |"


def _names(action: argparse.Action) -> str:
    value = _value(action)
    words = [f"{name} {value}".strip() for name in action.option_strings] or [value]
    return ", ".join(f"`{word}`" for word in words)


def _value(action: argparse.Action) -> str:
    """What stands behind the name: FILE, [FILE], FILE …"""
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    one = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    shapes = {"?": f"[{one}]", "*": f"[{one} …]", "+": f"{one} …", "None": one}
    return shapes[str(action.nargs)]


def render() -> str:
    """The page as text."""
    from segmodels import cli

    library = "".join(section(parser, about, 2) for parser, about in leaves(parser_of(cli.main)))
    flows = "".join(section(parser, parser.description or "", 3) for parser in _flows())
    return HEAD + library + FLOWS + flows


def _flows() -> Iterator[argparse.ArgumentParser]:
    from flows import automations, parts, reproduce, servers, stages
    from flows.tracking import migrate

    yield parser_of(partial(reproduce.main, reproduce.reproduce))
    for part in PARTS:
        yield parser_of(partial(parts.program, [part]))
    for program in (servers.main, automations.main, stages.main, migrate.main):
        yield parser_of(program)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    (HERE / "commands.md").write_text(render(), encoding="utf-8")
