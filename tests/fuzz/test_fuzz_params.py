"""Files in params/ that are wrong in any way: lines that name the file, or a right result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import small_project
import yaml
from from_schema import fitting
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mutations import campaign, fewer, mangled, mutated

from segmodels import cli
from segmodels.cli.schema import FILES as PATTERNS

pytestmark = pytest.mark.fuzz

FILES = [*small_project.FILES, "weights.yaml", "active.yaml"]
SCHEMAS = Path(__file__).resolve().parents[2] / "params" / "schemas"
COMMANDS = (["claims", "validate"], ["suite", "--check"], ["list"])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def read_by_every_command(text: str, capsys: pytest.CaptureFixture[str]) -> list[int]:
    """The codes of all commands; each says something unless all is well, in no traceback."""
    codes = []
    for command in COMMANDS:
        codes.append(cli.main(command))
        out, error = capsys.readouterr()
        assert codes[-1] in (0, 1), (command, codes, error, text[:2000])
        assert (codes[-1] == 0) or error.strip() or out.strip(), command
        assert "Traceback" not in error
    return codes


def outside(root: Path) -> set[Path]:
    return {path for path in root.parent.rglob("*") if not path.is_relative_to(root)}


@pytest.mark.parametrize("name", FILES)
def test_a_file_in_params(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "params" / name
    good = path.read_bytes()
    before = outside(root)

    @campaign()
    @given(st.data())
    def wrong(data: Any) -> None:
        text = good.decode()
        if data.draw(st.booleans()):
            tree = data.draw(mutated(yaml.safe_load(text)))
            text = yaml.safe_dump(tree, allow_unicode=data.draw(st.booleans()))
        else:
            text = data.draw(mangled(text))
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        read_by_every_command(text, capsys)

    try:
        wrong()
    finally:
        path.write_bytes(good)
    assert outside(root) == before


@pytest.mark.parametrize("kind", sorted(PATTERNS))
def test_a_file_drawn_from_its_schema(
    root: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that an editor finds no fault with, and the same with one to three values wrong."""
    path = root / PATTERNS[kind].replace("*", "drawn")
    path.parent.mkdir(exist_ok=True)
    good = path.read_bytes() if path.is_file() else None
    schema = json.loads((SCHEMAS / f"{kind}.json").read_text())
    known = Draft202012Validator(schema)
    before = outside(root)

    @campaign(fewer(8))
    @given(st.data())
    def drawn(data: Any) -> None:
        tree = data.draw(fitting(schema))
        known.validate(tree)
        if data.draw(st.booleans()):
            tree = data.draw(mutated(tree))
        text = yaml.safe_dump(tree, allow_unicode=True)
        path.write_text(text, "utf-8", "surrogatepass")
        read_by_every_command(text, capsys)

    try:
        drawn()
    finally:
        path.unlink(missing_ok=True) if good is None else path.write_bytes(good)
    assert outside(root) == before
