"""The fenced code blocks of a Markdown page, so that tests do what the page shows.

Files are written where the info string says (```yaml file=params/runs/mine.yaml), and commands
are the lines after `$ ` of a block `console`; what stands below a command is what it prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r" {0,3}(?P<ticks>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A code block as a page shows it."""

    language: str
    """First word of the info string, or an empty string."""
    options: dict[str, str]
    """The words `name=value` of the info string; a word alone has an empty value."""
    code: str
    """The lines between the fences, with their last line break."""
    line: int
    """Number of the first of them in the page, from 1."""

    @property
    def file(self) -> str | None:
        """Where the text belongs, from the root of the project; None if no file is shown."""
        return self.options.get("file")


@dataclass(frozen=True)
class Command:
    """A command as a page shows it, and what it is said to print."""

    text: str
    output: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order; an open fence at its end is an AssertionError."""
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    found = []
    for number, line in lines:
        if opened := _FENCE.fullmatch(line):
            ticks, (language, *words) = opened["ticks"], opened["info"].split() or [""]
            code = "".join(f"{text}\n" for text in _until(ticks, lines, f"{page}:{number}"))
            options = dict(word.partition("=")[::2] for word in words)
            found.append(Block(language, options, code, number + 1))
    return found


def _until(ticks: str, lines: Iterator[tuple[int, str]], where: str) -> Iterator[str]:
    closing = re.compile(rf" {{0,3}}{ticks[0]}{{{len(ticks)},}}[ \t]*")
    for _, line in lines:
        if closing.fullmatch(line):
            return
        yield line
    raise AssertionError(f"{where}: this code block is never closed")


def write_files(page: Path, root: Path) -> list[Path]:
    """Write the files that a page shows below `root`; one shown twice is as shown last."""
    written = []
    for block in blocks(page):
        if block.file:
            path = root / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code, encoding="utf-8")
            written.append(path)
    return written


def commands(block: Block) -> list[Command]:
    """The commands of a block `console`: lines after `$ `, continued after a backslash."""
    found: list[Command] = []
    for number, line in enumerate(block.code.splitlines(), start=block.line):
        if found and found[-1].text.endswith("\\"):
            last = found.pop()
            found.append(Command(last.text[:-1] + line.strip(), "", last.line))
        elif line.startswith("$ "):
            found.append(Command(line[2:], "", number))
        else:
            assert found, f"line {number}: output without a command above it"
            last = found.pop()
            found.append(Command(last.text, last.output + f"{line}\n", last.line))
    return found


def prints(shown: str, printed: str, *, numbers: bool = True) -> bool:
    """Whether a page shows what a command printed.

    `...` alone on a line stands for any lines, within a line for any text of it. Blanks at the
    ends of lines are no difference; with `numbers=False` any number stands for any other.
    """
    pattern = "".join(_pattern(line, numbers) for line in shown.strip().splitlines())
    lines = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, lines) is not None


def _pattern(line: str, numbers: bool) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    parts = [re.escape(part) for part in line.rstrip().split("...")]
    if not numbers:
        parts = [_any_number(part) for part in line.rstrip().split("...")]
    return ".*?".join(parts) + "\n"


def _any_number(text: str) -> str:
    return _NUMBER.pattern.join(re.escape(part) for part in _NUMBER.split(text))
