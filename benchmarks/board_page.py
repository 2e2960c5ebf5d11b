"""How long the leaderboard page takes to open and to answer, as rows grow.

    python benchmarks/board_page.py --sizes 800 1500 10000 --json reports/bench/board-page.json

The rows of the published board, repeated, in headless Chromium, from disk: until the page is loaded
and its table drawn, and until a search and a counter have redrawn it. The median of several visits.
The floor is the same page without its data and scripts.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from segmodels.core import paths
from segmodels.leaderboard import render_html
from segmodels.leaderboard.docs import Docs
from segmodels.verdicts.judge import build_rows

LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def opened(browser: Any, path: Path, then: Callable[[Any], None] | None = None) -> float:
    """Milliseconds until a page is loaded, or that something takes after that."""
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_function(f"{LOADED} > 0")
    milliseconds = float(page.evaluate(LOADED))
    if then:
        start = time.perf_counter()
        then(page)
        milliseconds = 1000 * (time.perf_counter() - start)
    page.close()
    return milliseconds


def measure(browser: Any, rows: list[Any], size: int, visits: int, folder: Path) -> dict[str, Any]:
    """Median milliseconds at a number of rows."""
    many = (rows * (size // len(rows) + 1))[:size]
    text = render_html(many, docs=Docs(paths.reports()))
    whole, bare = folder / "leaderboard.html", folder / "bare.html"
    whole.write_text(text, encoding="utf-8")
    bare.write_text(re.sub(r"<script.*</script>", "", text, flags=re.DOTALL), encoding="utf-8")
    steps: dict[str, tuple[Path, Callable[[Any], None] | None]] = {
        "floor: page without data and scripts": (bare, None),
        "open": (whole, None),
        "search": (whole, lambda page: page.get_by_label("Search").fill("segformer_b5")),
        "all blocked rows": (whole, lambda page: page.locator("button.blocked").first.click()),
    }
    found = {name: [opened(browser, *step) for _ in range(visits)] for name, step in steps.items()}
    return {
        "rows": size,
        "megabytes": round(len(text.encode()) / 1e6, 2),
        **{name: round(statistics.median(times)) for name, times in found.items()},
    }


def main() -> None:
    """Measure every size, print and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[800, 1500, 10000])
    parser.add_argument("--visits", type=int, default=7)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    rows = build_rows(paths.published_evidence(), paths.reports())
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        found = [measure(browser, rows, n, chosen.visits, Path(folder)) for n in chosen.sizes]
        version = browser.version
    for line in found:
        print(line)
    if chosen.json:
        record = {"unit": "milliseconds, median", "browser": f"Chromium {version}", "found": found}
        chosen.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
