"""The page about licences says what packages say, and the library alone needs permissive ones."""

from __future__ import annotations

import importlib
import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

DOCS = Path(__file__).resolve().parents[1] / "docs"
COPYLEFT = re.compile(r"GPL|EPL|Artistic")


@pytest.fixture
def licences(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("licences")


def test_the_page_is_what_packages_say(licences: ModuleType) -> None:
    assert (DOCS / "licences.md").read_text() == licences.page(), "python docs/licences.py"


def test_copyleft_is_listed_with_who_brings_it(licences: ModuleType) -> None:
    listed = dict(re.findall(r"^\| ([\w.-]+) \| ([^|]+) \| [^|]+ \|$", licences.HEAD, re.MULTILINE))
    listed.pop("package")
    copyleft = {name: licences.licence(name) for name in licences.locked()}
    assert listed == {name: text for name, text in copyleft.items() if COPYLEFT.search(text)}


def needed(names: list[str]) -> set[str]:
    """What is installed with these packages, their extras left out."""
    found: set[str] = set()
    while names:
        name = names.pop()
        try:
            listed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:
            continue
        wanted = [one for one in listed if not one.marker or one.marker.evaluate({"extra": ""})]
        new = {one.name.lower().replace("_", "-") for one in wanted} - found
        found |= new
        names += new
    return found


def test_the_library_alone_brings_no_copyleft_but_mpl(licences: ModuleType) -> None:
    library = needed(["segmodels"])
    assert {"torch", "numpy", "tqdm"} <= library
    locked = set(licences.locked())
    for name in library & locked:
        assert not COPYLEFT.search(licences.licence(name)), name
    assert library <= locked, "a package that requirements.lock does not name"
