"""The page about packages is drawn from the imports."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_of_packages_is_what_the_imports_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    page = importlib.import_module("packages").render()
    assert (DOCS / "packages.md").read_text() == page, "write it again: python docs/packages.py"


def test_each_package_says_what_it_is() -> None:
    rows = [x for x in (DOCS / "packages.md").read_text().splitlines() if x.startswith("| `")]
    assert len(rows) > 15
    assert all(len(row.split("|")[2].strip()) > 20 for row in rows)
