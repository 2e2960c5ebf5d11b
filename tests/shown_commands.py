"""Do what a page shows, in order: write its files, run its commands, compare what they print."""

from __future__ import annotations

import doctest
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from doc_blocks import Block, Command, blocks, commands, prints

from segmodels import cli

_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def follow(
    page: Path, root: Path, capsys: pytest.CaptureFixture[str], needs: frozenset[str] = frozenset()
) -> int:
    """Follow a page from top to bottom, standing in `root`; returns how many commands were run.

    Blocks that say `needs=NAME` are left out unless the name is among `needs`; blocks of other
    languages, and without `file=`, are for reading.
    """
    done, names = 0, dict[str, object]()
    for block in blocks(page):
        if block.options.get("needs", "") not in {"", *needs}:
            continue
        if block.file:
            path = root / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
        elif block.language == "console":
            for command in commands(block):
                _run(page, block, command, capsys)
                done += 1
        elif block.language == "pycon":
            _python(page, block, names)
    return done


def _run(page: Path, block: Block, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command.text)
    assert program == "segmodels", f"{page}:{command.line}: only these are run here"
    capsys.readouterr()
    code = cli.main(arguments)
    printed = capsys.readouterr()
    where = f"{page}:{command.line}: $ {command.text}"
    assert code == 0, f"{where}\n{printed.err}"
    exact = block.options.get("numbers") != "vary"
    assert prints(command.output, printed.out, numbers=exact), f"{where}\n{printed.out}"


def _python(page: Path, block: Block, names: dict[str, object]) -> None:
    told: list[str] = []
    examples = doctest.DocTestParser().get_doctest(
        block.code, names, page.name, str(page), block.line - 1
    )
    report: Callable[[str], object] = told.append
    runner = doctest.DocTestRunner(verbose=False, optionflags=_OPTIONS)
    runner.run(examples, out=report, clear_globs=False)
    names.update(examples.globs)
    assert not told, "".join(told)
