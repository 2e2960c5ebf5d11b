"""What must hold of the repository itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
#: Of all files in git together: a clone takes seconds, and evidence in git stays compact.
MOST_BYTES = 20_000_000
TEST_COMMAND = re.compile(r"^python3 -m venv .* pytest$", re.MULTILINE)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for line in listed.stdout.splitlines() if (path := REPOSITORY / line).is_file()]


def test_ci_runs_exactly_the_test_command_of_the_readme() -> None:
    (printed,) = TEST_COMMAND.findall((REPOSITORY / "README.md").read_text())
    (run,) = TEST_COMMAND.findall((REPOSITORY / ".ci" / "run").read_text())
    assert run == printed


def test_the_readme_is_short() -> None:
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    assert len(lines) < 150, "what is more belongs on a page of docs/, and a link here"


def test_the_lock_file_names_versions_and_nothing_else() -> None:
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    pinned = re.compile(r"[a-z0-9._-]+==[\w.!+-]+( ; .+)?")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_no_data_and_no_weights_are_tracked() -> None:
    binary = {".pth", ".pt", ".safetensors", ".npz", ".zip", ".bin", ".onnx", ".db"}
    files = tracked()
    assert [path for path in files if path.suffix in binary] == []
    assert [path for path in files if path.stat().st_size > 2_000_000] == []


def test_what_is_tracked_is_small_together() -> None:
    sizes = {path: path.lstat().st_size for path in tracked()}
    largest = sorted(sizes, key=lambda path: -sizes[path])[:5]
    shown = ", ".join(f"{path.relative_to(REPOSITORY)} {sizes[path]:,}" for path in largest)
    total = sum(sizes.values())
    assert total < MOST_BYTES, f"all tracked files have {total:,} bytes; the largest: {shown}"


def test_the_readme_counts_scores_and_costs_as_the_board_does() -> None:
    board = (REPOSITORY / "reports" / "leaderboard.md").read_text()
    found = re.search(r"Verified: \d+ scores measured from pixels, \d+ costs counted", board)
    assert found
    said = found[0]
    assert said in " ".join((REPOSITORY / "README.md").read_text().split())


def test_the_active_suite_matches_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from segmodels.runs.suite import check_active

    monkeypatch.setenv("SEGMODELS_ROOT", str(REPOSITORY))
    check_active()
