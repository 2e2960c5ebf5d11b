"""What people write into YAML and mean otherwise: refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t: 1:30", "1:30 would be a number of base 60 to YAML; put it in quotes"),
        ("t: 190:20:30.15", "put it in quotes"),
        ("t: [1, 12:00]", "put it in quotes"),
        ("title: SETR: a paper", "A text with a colon in it needs quotes"),
        ("by: @someone", "A text that begins with such a sign needs quotes"),
        ("title: `code`", "A text that begins with such a sign needs quotes"),
        ("title: [x] y", "needs quotes"),
    ],
)
def test_a_slip_is_told(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{text}\n")
    with pytest.raises(SegmodelsError) as error:
        read_yaml(path)
    assert str(error.value).startswith(f"{path}: not valid YAML (")
    assert said in str(error.value)


def test_with_quotes_it_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("t: '1:30'\ntitle: 'SETR: a paper'\nurl: https://a.b:80/c\nn: 1.5\n")
    assert read_yaml(path) == {
        **{"t": "1:30", "title": "SETR: a paper"},
        **{"url": "https://a.b:80/c", "n": 1.5},
    }
