"""The pages that MLflow is given: logged when they change, whole without the files beside them."""

from __future__ import annotations

import os
import re
import shutil
from base64 import b64encode
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from mlflow_database import everything, held
from synthetic import project
from warm import warm

from flows.tracking.whole_page import whole_page

TESTS = Path(__file__).resolve().parents[1]

#: What stands for the sheet of examples.
SHEET = b"RIFF of a sheet"
INSIDE = f'src="data:image/webp;base64,{b64encode(SHEET).decode()}"'

#: Writes the board, as the stage does, and tells it to MLflow; after each step a copy is kept.
TELL = """
import shutil, sys
sys.path.insert(0, sys.argv[1])
from page_rows import make_row
from flows import tracking
from segmodels.core import paths
from segmodels.leaderboard.folder import write_board
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness

def row(foggy):
    fog = Curve("corruption", "fog", (CurvePoint(1.0, foggy, foggy / 50),))
    return make_row(robustness=Robustness(50.0, foggy, foggy / 50, (fog,)), evidence_file=None)

for name, foggy in {"first": 40.0, "again": 40.0, "foggier": 30.0}.items():
    rows = [row(foggy)]
    write_board(rows, paths.local(), pages=False)
    tracking.log_leaderboard(rows)
    shutil.copytree(".", f"../{name}", ignore=shutil.ignore_patterns("mlartifacts"))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    """A folder with the database after every step, by the step's name."""
    folder = tmp_path_factory.mktemp("told")
    root = project(folder / "project")
    (root / "docs").mkdir()
    (root / "docs" / "corruptions.webp").write_bytes(SHEET)
    shutil.copy(empty, root / "mlflow.db")
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment |= {"SEGMODELS_ROOT": str(root), "SEGMODELS_CACHE": str(root / ".cache")}
    ended, _, error = warm().start(TELL, [str(TESTS)], root, environment).finish()
    assert ended == 0, error
    assert "warning: MLflow" not in error, error
    return folder


def summary(root: Path) -> dict[str, Any]:
    (found,) = (run for run in held(root) if run["name"] == "leaderboard")
    return found


def test_the_same_board_is_logged_once(told: Path) -> None:
    assert everything(told / "again") == everything(told / "first")


def test_a_board_that_differs_in_robustness_alone_is_logged_again(told: Path) -> None:
    before, after = summary(told / "first"), summary(told / "foggier")
    assert after["id"] == before["id"]
    assert (before["metrics"]["tellings"], after["metrics"]["tellings"]) == (1, 2)
    page = after["artifacts"]["leaderboard.html"].decode()  # that of the last step
    assert "mean over 1 corruption, severity 1: 30.00" in page
    assert "mean over 1 corruption, severity 1: 40.00" not in page


def test_pages_hold_their_pictures(told: Path) -> None:
    """MLflow shows a page from a blob, in which an address of a file leads nowhere."""
    pages = {
        name: content.decode()
        for run in held(told / "foggier")
        for name, content in run["artifacts"].items()
        if name.endswith(".html")
    }
    assert set(pages) == {"leaderboard.html", "robustness.html"}
    for name, page in pages.items():
        assert INSIDE in page, name
        sources = re.findall(r'<img\b[^>]*\ssrc="([^"]*)"', page)
        assert all(source.startswith("data:") for source in sources), name
        assert "img-src 'self' data:" in unescape(page)  # else a browser would not show them
        assert page.count('<html class="alone" ') == page.count(".alone a:not(") == 1
    on_disk = (told / "project" / "reports" / "local" / "leaderboard.html").read_text()
    assert '<html class="alone"' not in on_disk
    assert 'src="../../docs/corruptions.webp"' in on_disk
    assert on_disk.count("data:image/webp") == 0


def test_a_picture_that_is_not_there_keeps_its_address(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "a.png").write_bytes(b"a")
    sources = ("gone.png", "notes.txt", "https://example.org/a.png", "data:image/png;base64,YQ==")
    for source in sources:
        page = f'<p>src="a.png"</p><img alt="" src="{source}">'
        assert whole_page(page, tmp_path) == page
    assert whole_page('<img alt="" src="a.png">', tmp_path) == f'<img alt="" src="{sources[3]}">'
