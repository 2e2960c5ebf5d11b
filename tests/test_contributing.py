"""The first change of a contributor: docs/tutorials/add.md, done in a copy of the tree."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import Block, blocks, commands, prints, write_files

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "tutorials" / "add.md"

#: Does what the page shows, in its order, and tells what each command printed.
DO = """
import contextlib, io, json, sys
from segmodels.cli import main

told, names = [], {}
for kind, text in json.loads(sys.argv[1]):
    if kind == "python":
        exec(text, names)
    else:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = main(text)
        told.append([code, out.getvalue()])
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree, with the files and lines that the page shows."""
    root = tmp_path_factory.mktemp("contributing") / "tree"
    for folder in ("segmodels", "params"):
        shutil.copytree(REPOSITORY / folder, root / folder)
    for name in ("docs", "reports/evidence"):
        (root / name).mkdir(parents=True)
    shutil.copy(REPOSITORY / "reports" / "efficiency.json", root / "reports")
    write_files(PAGE, root)
    for block in _diffs():
        add_line(block, root)
    return root


def _diffs() -> list[Block]:
    return [block for block in blocks(PAGE) if block.language == "diff"]


def add_line(block: Block, root: Path) -> None:
    """Add the one line of a diff below the line that it shows, or at the end of the file."""
    named, *shown = block.code.splitlines()
    path = root / named.removeprefix("+++ ")
    (added,) = (line[1:] for line in shown if line.startswith("+"))
    lines = path.read_text().splitlines()
    places = [lines.index(line[1:]) + 1 for line in shown if line.startswith(" ")]
    assert sum(lines.count(line[1:]) for line in shown if line.startswith(" ")) == len(places)
    lines.insert(*places or [len(lines)], added)
    path.write_text("\n".join(lines) + "\n")


def counted(reports: Path) -> set[str]:
    entries = json.loads((reports / "efficiency.json").read_text())["entries"]
    return {json.dumps(entry, sort_keys=True) for entry in entries}


def test_each_needs_one_file_and_at_most_a_line() -> None:
    sections: list[list[str]] = []
    for line in PAGE.read_text().splitlines():
        sections += [[]] if line.startswith("## ") else []
        if sections:
            sections[-1].append(line)
    assert len(sections) == 5
    for section in sections:
        assert sum("file=" in line for line in section if line.startswith("```")) == 1
        assert sum(line.startswith("+") and line[1] != "+" for line in section) <= 1


def test_what_the_page_shows_works(tree: Path) -> None:
    asked: list[tuple[str, str | list[str]]] = []
    said: list[str] = []
    for block in blocks(PAGE):
        if block.language == "python" and not block.file:
            asked.append(("python", block.code))
        elif block.language == "console":
            for command in commands(block):
                program, *arguments = shlex.split(command.text)
                assert program == "segmodels"
                asked.append(("command", arguments))
                said.append(command.output)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEGMODELS_")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", DO, json.dumps(asked)],
        cwd=tree,
        env={**kept, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for shown, (code, printed) in zip(said, told, strict=True):
        assert code == 0, printed
        assert prints(shown, printed), printed
    (added,) = counted(tree / "reports") - counted(REPOSITORY / "reports")
    assert "toynet" in added  # and what was recorded of others is still there
    assert counted(REPOSITORY / "reports") <= counted(tree / "reports")


def test_the_files_pass_the_rules_of_this_repository(tree: Path) -> None:
    written = [tree / block.file for block in blocks(PAGE) if block.file]
    files = [str(path) for path in written if path.suffix == ".py"]
    ruff = (sys.executable, "-m", "ruff")
    config = ("--config", str(REPOSITORY / "pyproject.toml"), "--no-cache")
    for command in (("check",), ("format", "--check")):
        done = subprocess.run(
            [*ruff, *command, *config, *files], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
