"""docs/faults.md: written from its record, and every test that a row names is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from segmodels.core.files import read_json

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("faults_page", CHECKOUT / "benchmarks/faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["faults_page"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_its_record(page: ModuleType) -> None:
    record = read_json(CHECKOUT / page.RECORD)
    assert (CHECKOUT / page.PAGE).read_text() == page.render(record)
    assert record["faults"].keys() <= {fault.name for fault in page.FAULTS}


def test_every_row_names_tests_that_are_there(page: ModuleType) -> None:
    for fault in page.FAULTS:
        for name in fault.tests:
            file, _, function = name.partition("::")
            text = (CHECKOUT / file).read_text()
            assert "pytest.mark.faults" in text, name
            assert not function or re.search(rf"^def {function}\(", text, re.MULTILINE), name
