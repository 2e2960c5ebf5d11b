"""Files in params/ that are wrong in any way: lines that name the file, or a right result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small_project
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mutations import campaign, mangled, mutated

from segmodels import cli

pytestmark = pytest.mark.fuzz

FILES = [*small_project.FILES, "weights.yaml", "active.yaml"]
COMMANDS = (["claims", "validate"], ["suite", "--check"], ["list"])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


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
        for command in COMMANDS:
            code = cli.main(command)
            out, error = capsys.readouterr()
            assert code in (0, 1), (command, code, error, text[:2000])
            assert (code == 0) or error.strip() or out.strip(), command
            assert "Traceback" not in error

    try:
        wrong()
    finally:
        path.write_bytes(good)
    assert outside(root) == before
