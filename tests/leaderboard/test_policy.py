"""The pages' content security policy: every inline element by its hash, nothing else."""

from __future__ import annotations

import hashlib
import html
import re
from base64 import b64encode
from pathlib import Path

import pytest
from page_rows import make_row, make_rows, make_statement
from synthetic import project

from segmodels.leaderboard import render_html
from segmodels.leaderboard.claim_page import render_claim, script, style_sheet
from segmodels.leaderboard.history.texts import render_changes
from segmodels.leaderboard.robustness_page import robustness_page
from segmodels.leaderboard.words import percent
from segmodels.metrics.robustness import Curve, CurvePoint, Robustness

CURVE = Curve("corruption", "fog", (CurvePoint(1.0, 45.0, 0.9), CurvePoint(3.0, 30.0, 0.6)))


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("SEGMODELS_ROOT", str(project(tmp_path)))
    disturbed = make_row(robustness=Robustness(50.0, 37.5, 0.75, (CURVE,)))
    own = make_row(claim=None, claimed=None, run="net", protocol="toy-ms", verified=51.5, gap=None)
    return {
        "board": render_html([*make_rows(10), disturbed, own, make_statement()]),
        "no rows": render_html([]),
        "claim": render_claim(disturbed, "net_toy", {"net": own}),
        "robustness": robustness_page(disturbed),
        "changes": render_changes([], "before", "after"),
    }


def policy(page: str) -> dict[str, list[str]]:
    """The directives of a page."""
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert found
    directives = (part.split() for part in html.unescape(found[1]).split("; "))
    return {name: sources for name, *sources in directives}


def sha256(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_what_is_inline_is_named_by_its_hash(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        allowed = policy(page)
        assert allowed["default-src"] == ["'none'"], name
        styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        scripts = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
        assert set(map(sha256, styles)) <= set(allowed["style-src"]), name
        assert set(map(sha256, scripts)) <= set(allowed["script-src"]), name
        assert bool(styles) == (name != "claim")
        assert bool(scripts) == (name in ("board", "no rows"))


def test_nothing_else_may_run(pages: dict[str, str]) -> None:
    for name, page in pages.items():
        sources = {source for listed in policy(page).values() for source in listed}
        hashes = {source for source in sources if re.fullmatch(r"'sha256-[\w+/]{43}='", source)}
        assert sources - hashes <= {"'none'", "'self'", "data:"}, name
        elements = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", page)
        assert not re.search(r"<[^>]*\s(?:style|on\w+)\s*=", elements), name


def test_files_beside_the_pages_carry_no_style_of_their_own(pages: dict[str, str]) -> None:
    assert re.search(r'<script src="page\.js"></script>', pages["claim"])
    assert policy(pages["claim"])["script-src"] == ["'self'"]
    assert ".k100{--k:100}" in style_sheet()
    for danger in ("innerHTML", "eval(", "setAttribute('style", "document.write"):
        assert danger not in script()


@pytest.mark.parametrize(
    ("value", "whole"), [(0, 0), (46.04, 46), (99.5, 100), (171.2, 100), (-3.1, 0)]
)
def test_bars_are_placed_in_whole_percents(value: float, whole: int) -> None:
    assert percent(value) == whole
