"""Shell completion of commands, options and names: `segmodels completion`, with argcomplete.

The shell runs `segmodels` once for every press of the tab key, so names are found by looking at
file names and at the beginnings of lines, without reading YAML.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from segmodels.cli.common import Add

#: Set by the shell when it asks.
ASKED = "_ARGCOMPLETE"

_SHELLS = ("bash", "zsh", "fish")
_ID = re.compile(r"^ *- *\{? *id: *['\"]?([\w.-]+)", re.MULTILINE)
_KEY = re.compile(r"^(\w[\w.-]*):", re.MULTILINE)


def add(commands: Add) -> None:
    """Add it."""
    about = "print what makes a shell complete commands, options and names"
    sub = commands("completion", _completion, about)
    how = 'as in `eval "$(segmodels completion bash)"`, or `segmodels completion fish | source`'
    sub.add_argument("shell", choices=_SHELLS, help=how)


def _completion(chosen: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode(["segmodels"], shell=chosen.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and end the process."""
    import argcomplete

    for command, action in arguments(parser):
        kinds = _KINDS.get((command, action.dest)) or _KINDS.get(("", action.dest))
        if kinds:
            action.completer = _completer(kinds)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def arguments(
    parser: argparse.ArgumentParser, command: str = ""
) -> Iterator[tuple[str, argparse.Action]]:
    """All arguments of a parser and of its commands, each with the command's words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from arguments(sub, f"{command} {name}".strip())
        else:
            yield command, action


def _completer(kinds: tuple[str, ...]) -> Callable[..., list[str]]:
    def find(**_: object) -> list[str]:
        return sorted({name for kind in kinds for name in names(kind)})

    return find


def names(kind: str) -> list[str]:
    """The names of a kind, as `segmodels list` has them; none outside of any project."""
    from segmodels.core.settings import project_root
    from segmodels.errors import SegmodelsError

    try:
        return sorted(_NAMES[kind](project_root() / "params"))
    except (OSError, SegmodelsError):  # a shell has no place for messages
        return []


def _models(params: Path) -> list[str]:
    from segmodels.models import list_models

    del params
    return list_models()


def _stems(folder: str) -> Callable[[Path], list[str]]:
    return lambda params: [path.stem for path in (params / folder).glob("[!.]*.yaml")]


def _keys(file: str) -> Callable[[Path], list[str]]:
    return lambda params: _KEY.findall((params / file).read_text(encoding="utf-8"))


def _claims(params: Path) -> list[str]:
    files = (params / "claims").rglob("[!.]*.yaml")
    return [name for path in files for name in _ID.findall(path.read_text(encoding="utf-8"))]


def _datasets(params: Path) -> list[str]:
    return [*_keys("datasets.yaml")(params), *_stems("datasets")(params)]


_NAMES: dict[str, Callable[[Path], list[str]]] = {
    "claims": _claims,
    "datasets": _datasets,
    "models": _models,
    "protocols": _keys("protocols.yaml"),
    "recipes": _stems("recipes"),
    "robustness": _keys("robustness.yaml"),
    "runs": _stems("runs"),
    "suites": _stems("suites"),
    "weights": _keys("weights.yaml"),
}

#: What an argument takes, by command and name; without a command for all others that have it.
_KINDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "claim"): ("claims",),
    ("", "run"): ("runs",),
    ("", "reference"): ("runs",),
    ("", "protocol"): ("protocols",),
    ("", "what"): ("runs", "models"),
    ("list", "what"): (),
    ("", "pattern"): ("models",),
    ("", "names"): ("suites",),
    ("", "suite"): ("robustness",),
    ("show", "name"): (
        *("claims", "datasets", "models", "protocols", "recipes", "runs", "suites", "weights"),
    ),
    ("data show", "name"): ("datasets",),
    ("data add", "name"): ("datasets",),
    ("data check", "name"): ("datasets",),
    ("data forget", "name"): ("datasets",),
    ("weights add", "name"): ("weights",),
    ("weights forget", "name"): ("weights",),
    ("evidence show", "name"): ("claims",),
    ("evidence pack", "run"): ("runs", "claims"),
    ("evidence publish", "run"): ("runs", "claims"),
}
