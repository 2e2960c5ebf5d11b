"""SECURITY.md names the tests that hold what it promises."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_that_the_page_names_is_there() -> None:
    named: list[str] = []
    for row in (ROOT / "SECURITY.md").read_text().splitlines():
        folder = ""
        for path in re.findall(r"`((?:tests/[\w/]*)?(?:test_\w+\.py)?)`", row):
            if not path:
                continue
            folder = path.rpartition("/")[0] if path.startswith("tests/") else folder
            named.append(path if path.startswith("tests/") else f"{folder}/{path}")
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []
