"""Terminals, folders and disks that refuse: one line, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_project

ASCII = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def segmodels(
    root: Path,
    *words: object,
    stdout: int = subprocess.PIPE,
    module: str = "segmodels",
    **more: str,
) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=root,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **more},
        check=False,
    )
    return done.returncode, (done.stdout or b"").decode("latin-1"), done.stderr.decode("latin-1")


def one_line(error: str) -> str:
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("environment", ASCII)
@pytest.mark.parametrize(
    "words",
    [["--help"], ["evaluate", "--help"], ["list", "claims"], ["show", "plain"], ["verify", "…é"]],
)
def test_a_terminal_that_lacks_letters(
    root: Path, words: list[str], environment: dict[str, str]
) -> None:
    code, out, error = segmodels(root, *words, **environment)
    if "…é" in words:
        assert code == 1
        assert "Unknown claim" in one_line(error)
    else:
        assert (code, error) == (0, "")
        assert out


def test_names_of_files_that_are_no_text(root: Path) -> None:
    name = os.fsdecode(b"no\xfftext")
    assert segmodels(root, "data", "add", "cityscapes", name)[0] == 1
    one_line(segmodels(root, "evidence", "check", name)[2])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("words", [["list", "models"], ["verify", "--help"], ["show", "plain"]])
def test_a_full_disk_behind_the_output(root: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        code, _, error = segmodels(root, *words, stdout=full.fileno())
    assert code == 1
    assert "No space left on device" in one_line(error)


def test_output_to_places_that_are_none(root: Path) -> None:
    long = "x" * 300
    loop = root / "loop"
    loop.symlink_to(loop)
    (root / "file").write_text("")
    for place in (root, root / long, loop / "a.csv", "/proc/x.csv", root / "file" / "a.csv"):
        code, _, error = segmodels(root, "leaderboard", "--format", "csv", "--out", place)
        assert code == 1
        assert str(place)[:40] in one_line(error)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("segmodels", ["suite", "quick"]),
        ("segmodels", ["leaderboard"]),
        ("flows.stages", ["leaderboard"]),
    ],
)
def test_a_project_of_somebody_else(root: Path, module: str, words: list[str]) -> None:
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    nobody = []
    if os.geteuid() == 0:
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for parent in (root, *root.parents[:-2]):
            parent.chmod(0o755)
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = subprocess.run(
            [*nobody, sys.executable, "-m", module, *words],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 1, done.stderr
    assert "Permission denied" in one_line(done.stderr)


@pytest.mark.parametrize(
    "words", [["list", "claims"], ["export", "weights", "a.onnx", "--size", "64", "64"]]
)
def test_a_folder_that_is_gone(tmp_path: Path, root: Path, words: list[str]) -> None:
    """Also where torch would be imported, whose libraries end the process there."""
    code = "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); "
    code += "os.execv(sys.executable, [sys.executable, '-m', 'segmodels', *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "SEGMODELS_ROOT"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "folder no longer exists" in one_line(done.stderr)


@pytest.mark.parametrize("words", [["--debug", "show", "nothing"], ["show", "nothing", "--debug"]])
def test_debug_shows_the_traceback(root: Path, words: list[str]) -> None:
    code, _, error = segmodels(root, *words)
    assert code == 1
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.splitlines()[-1].startswith("error: Unknown name 'nothing'")
