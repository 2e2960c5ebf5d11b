"""Shell completion: what is offered, and that nothing heavy is imported for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segmodels.cli import _parser, completing, main
from segmodels.cli.listing import _names
from segmodels.models import list_models


def offered(line: str, tmp_path: Path, cwd: Path | None = None) -> set[str]:
    """What the shell is told when the tab key is pressed at the end of a line."""
    told = tmp_path / "told"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(told),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "segmodels.cli"],
        env={**os.environ, **asked},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "yaml", "pydantic", "pandas"}
    return {word.strip() for word in told.read_text().split("\x0b")} if told.exists() else set()


def test_commands_options_and_names_are_offered(tmp_path: Path) -> None:
    assert offered("segmodels eviden", tmp_path) == {"evidence"}
    assert "--force" in offered("segmodels verify --", tmp_path)
    assert offered("segmodels verify espnet_p2_q8_camvid_cl", tmp_path) == {
        "espnet_p2_q8_camvid_class_accuracy"
    }


@pytest.mark.parametrize(
    "kind", ["claims", "datasets", "protocols", "recipes", "runs", "suites", "weights"]
)
def test_names_are_those_that_are_listed(kind: str) -> None:
    assert completing.names(kind) == sorted(_names(kind))


def test_a_broken_project_offers_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path))
    assert completing.names("runs") == []
    assert completing.names("models") == []


def test_every_kind_is_known_and_every_argument_exists() -> None:
    there = {(command, action.dest) for command, action in completing.arguments(_parser())}
    for (command, name), kinds in completing._KINDS.items():
        assert set(kinds) <= set(completing._NAMES)
        assert (command, name) in there or (not command and name in {one for _, one in there})


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    assert "segmodels" in script.read_text()
    if program := shutil.which(shell):
        assert subprocess.run([program, "-n", str(script)], check=False).returncode == 0


def test_models_are_offered_too() -> None:
    assert completing.names("models") == list_models()
