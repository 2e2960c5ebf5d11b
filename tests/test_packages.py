"""The page about packages is drawn from the imports."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_of_packages_is_what_the_imports_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    packages = importlib.import_module("packages")
    for name, text in {"md": packages.render(), "svg": packages.picture()}.items():
        file = DOCS / f"packages.{name}"
        assert file.read_text() == text, "write it again: python docs/packages.py"


def test_the_picture_shows_every_package_above_what_it_imports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(DOCS)
    arrows = {"a": ["b", "d"], "b": ["c"], "c": ["d"], "d": []}
    svg = importlib.import_module("layers").draw(arrows, "<who>")
    heights = dict(reversed(found) for found in re.findall(r'y="([\d.]+)">(\w)</text>', svg))
    assert sorted(heights, key=lambda name: float(heights[name])) == list("abcd")
    assert svg.count("<path") == 4
    assert "<title>&lt;who&gt;</title>" in svg


def test_each_package_says_what_it_is() -> None:
    rows = [x for x in (DOCS / "packages.md").read_text().splitlines() if x.startswith("| `")]
    assert len(rows) > 15
    assert all(len(row.split("|")[2].strip()) > 20 for row in rows)
