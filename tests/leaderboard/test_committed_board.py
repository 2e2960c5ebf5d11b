"""The board in the repository is what the code makes of the evidence in the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from segmodels.leaderboard.folder import render_board
from segmodels.verdicts.judge import build_rows

REPOSITORY = Path(__file__).resolve().parents[2]
REPORTS = REPOSITORY / "reports"
#: What the board is made from; somebody's own results are not what was committed.
SOURCES = ("reports", "params", "docs", "dvc.yaml", "dvc.lock")

AGAIN = (
    "{} is not what the code makes of the evidence: `dvc repro leaderboard` writes it again; "
    "commit what it changes together with the code"
)


@pytest.fixture(autouse=True)
def as_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["git", "status", "--porcelain", "--", *SOURCES]
    said = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if said.returncode or said.stdout:
        pytest.skip("evidence or parameters are not those that were committed")
    monkeypatch.setenv("SEGMODELS_ROOT", str(REPOSITORY))


def test_the_committed_board_is_what_the_code_makes() -> None:
    made = render_board(build_rows(REPORTS / "evidence", REPORTS), REPORTS)
    for path, text in made.items():
        if path.suffix == ".html":  # of what these say, and not in git
            continue
        assert path.read_text(encoding="utf-8") == text, AGAIN.format(path)


def test_dvc_knows_the_committed_board() -> None:
    """A fresh clone has nothing to judge or render again, and notices when code of that changes."""
    asked = [sys.executable, "-P", "-m", "dvc", "status", "leaderboard"]
    said = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "up to date" in said.stdout, AGAIN.format(said.stdout + said.stderr)


def test_the_lock_file_is_of_the_committed_files() -> None:
    """Else `dvc repro` in a fresh clone would change it, though everything comes out the same."""
    listed = ["git", "ls-files", "-z"]
    said = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    files = {REPOSITORY / name for name in said.stdout.split("\0")}
    tracked = files | {folder for file in files for folder in file.parents}
    with Repo(str(REPOSITORY)) as repo:
        wrong = {
            f"{stage.name}: {dependency.def_path}"
            for stage in repo.index.stages
            for dependency in stage.deps
            if Path(dependency.fs_path) in tracked and dependency.status()
        }
    assert not wrong, "run `dvc repro` in a fresh clone and commit dvc.lock with the code"
