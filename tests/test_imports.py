"""Who may import whom: the contracts of pyproject.toml, and what they cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
WITHOUT_TORCH = (
    "assets.fetch",
    "claims",
    "core.files",
    "doctor.diff",
    "efficiency.claims",
    "evidence.merge",
    "leaderboard",
    "metrics.robustness",
    "protocols.page",
    "runs.suite",
    "training.provenance",
    "verdicts.judge",
    "verdicts.third_party",
    "verdicts.validation",
)


def test_the_contracts_hold(tmp_path: Path) -> None:
    done = subprocess.run(
        ["lint-imports", "--no-cache"],
        executable=Path(sys.executable).parent / "lint-imports",
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("package", ["segmodels", "flows"])
def test_nothing_is_imported_by_a_star_or_a_relative_path(package: str) -> None:
    for path in (CHECKOUT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                assert all(alias.name != "*" for alias in node.names), path


def test_judging_imports_no_torch() -> None:
    names = ", ".join(f"segmodels.{name}" for name in WITHOUT_TORCH)
    code = f"import sys, {names}; assert not {{'torch', 'cv2', 'timm'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
