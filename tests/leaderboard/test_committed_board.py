"""The board in the repository is what the code makes of the evidence in the repository."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

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


def same_library() -> bool:
    """Whether the table library inside the page is the pinned one, which its bytes depend on."""
    pinned = f"itables=={importlib.metadata.version('itables')}"
    return pinned in (REPOSITORY / "requirements.lock").read_text().splitlines()


def test_the_committed_board_is_what_the_code_makes() -> None:
    made = render_board(build_rows(REPORTS / "evidence", REPORTS), REPORTS)
    for path, text in made.items():
        if path.suffix == ".html" and path.parent == REPORTS and not same_library():
            continue
        assert path.read_text(encoding="utf-8") == text, AGAIN.format(path)


def test_dvc_knows_the_committed_board() -> None:
    """A fresh clone has nothing to judge or render again, and notices when code of that changes."""
    asked = [sys.executable, "-P", "-m", "dvc", "status", "leaderboard"]
    said = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "up to date" in said.stdout, AGAIN.format(said.stdout + said.stderr)
