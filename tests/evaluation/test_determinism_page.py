"""docs/determinism.md is written from its record, and says of every row what the record says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from segmodels.core.files import read_json

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = CHECKOUT / "benchmarks/determinism.py"


def test_the_page_is_that_of_its_record() -> None:
    spec = importlib.util.spec_from_file_location("determinism_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["determinism_page"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    record = read_json(CHECKOUT / module.RECORD)
    text = (CHECKOUT / module.PAGE).read_text()
    assert text == module.render(record)
    assert all(row["title"] in text for row in record["rows"])
