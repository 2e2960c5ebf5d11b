"""docs/commands.md lists what the parsers take."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("commands")


def test_the_page_of_commands_is_what_the_parsers_say(commands: ModuleType) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert page == commands.render(), "write it again: python docs/commands.py"


def test_every_argument_is_explained() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.endswith("|  |")] == []


def test_every_program_of_flows_is_listed() -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    flows = DOCS.parent / "flows"
    programs = [
        path for path in flows.rglob("*.py") if "argparse.ArgumentParser(" in path.read_text()
    ]
    assert len(programs) > 3
    for path in programs:
        module = ".".join(path.relative_to(DOCS.parent).with_suffix("").parts)
        assert f"### python -m {module}\n" in page


def test_parts_are_all_listed(commands: ModuleType) -> None:
    from flows.parts import FLOWS

    assert sorted(commands.PARTS) == sorted(FLOWS)


def test_arguments_are_written_as_they_are_typed(commands: ModuleType) -> None:
    parser = argparse.ArgumentParser(prog="made-up")
    parser.add_argument("files", nargs="+", metavar="FILE", help="to read")
    parser.add_argument("--size", nargs=2, metavar=("H", "W"), type=int, help="of the image")
    parser.add_argument("--kind", choices=("a", "b"), default="a", help="100 %% | of")
    assert commands.section(parser, "does this", 2) == (
        "\n## made-up\n\nDoes this.\n\n| argument | |\n|---|---|\n| `FILE …` | to read |\n"
        "| `--size H W` | of the image |\n| `--kind KIND` | 100 % \\| of: `a`, `b` (default: a) |\n"
    )
