"""Command lines of odd words: help, wrong usage, one line, or a result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import small_project
from hypothesis import given
from hypothesis import strategies as st
from mutations import campaign

from segmodels import cli

pytestmark = pytest.mark.fuzz

#: Every command; what draws, trains or counts is given no name that it knows.
COMMANDS = sorted(
    next(action for action in cli._parser()._actions if action.metavar == "COMMAND").choices
)
WORDS = [
    *(
        "--help",
        "--debug",
        "--match",
        "--format",
        "csv",
        "json",
        "latex",
        "--out",
        "-h",
        "--",
        "-x",
    ),
    *(
        "--protocol",
        "plain",
        "--device",
        "cpu",
        "cuda:99",
        "meta",
        "nowhere",
        "--force",
        "--skip-unreadable",
    ),
    *(
        "check",
        "show",
        "add",
        "models",
        "claims",
        "datasets",
        "runs",
        "protocols",
        "validate",
        "toy_closed",
    ),
    *(
        "toy_lost",
        "closed",
        "camvid",
        "diff",
        "publish",
        "..",
        ".",
        "",
        " ",
        "-1",
        "0",
        "1e3",
        "nan",
    ),
    *(
        "[a-",
        "*",
        "?",
        "x" * 300,
        "\udcff",
        "é…",
        "=1",
        "{}",
        "params",
        "params/runs/tiny.yaml",
        "a\nb",
    ),
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


@pytest.mark.parametrize("command", COMMANDS)
def test_words_behind_a_command(
    root: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMODELS_DEBUG", "")  # and given back, whatever --debug does
    before = {path for path in root.parent.rglob("*") if not path.is_relative_to(root)}

    @campaign()
    @given(st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=4))
    def odd(words: list[Any]) -> None:
        os.environ["SEGMODELS_DEBUG"] = ""
        words = [word.replace("\0", "").replace("/", "_") for word in words]
        try:
            code = cli.main([command, *words])
        except SystemExit as end:
            code = int(end.code or 0)
        out, error = capsys.readouterr()
        assert code in (0, 1, 2, 75), (words, code, error)
        assert code == 0 or (out + error).strip(), words
        if "--debug" not in words:
            assert "Traceback" not in error

    odd()
    assert {path for path in root.parent.rglob("*") if not path.is_relative_to(root)} == before
