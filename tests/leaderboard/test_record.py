"""The leaderboard as data, and the page that documents it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from page_rows import make_row, make_rows, unrun
from toy_board import Board

from segmodels.leaderboard.exports.json import (
    SCHEMA,
    SHORT,
    fields,
    render_csv,
    render_json,
    short,
    whole,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "leaderboard-schema.md"
pytestmark = pytest.mark.usefixtures("board")


def documented() -> dict[str, list[str]]:
    """The table of row fields: name, and whether it is short, its type and its unit."""
    section = DOCUMENT.read_text().partition("## A row")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE)
    return {name: [c.strip() for c in re.split(r"(?<!\\)\|", rest)] for name, rest in lines}


def test_every_field_is_documented_and_nothing_else() -> None:
    names = set(fields(make_row()))
    bounds = {"interval_low", "interval_high"}
    assert set(documented()) == names | bounds | {"schema", "page"}
    assert tuple(name for name, cells in documented().items() if cells[0] == "yes") == SHORT
    assert f"Schema **{SCHEMA}**" in DOCUMENT.read_text()


def test_the_head_is_documented() -> None:
    section = DOCUMENT.read_text().partition("## The head")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(json.loads(render_json([])))


def test_what_is_documented_as_a_number_is_one() -> None:
    kinds: dict[str, Any] = {"text": str, "path": str, "integer": int, "number": int | float}
    kinds |= {"object": dict, "two numbers": tuple, "list of text": tuple, "list of numbers": tuple}
    told = whole(make_row(seeds=(1.0, 2.0), conflicts=("a",)), "net_toy")
    told |= short(make_row(), "net_toy")
    for name, value in told.items():
        assert isinstance(value, kinds[documented()[name][1]]), name


def test_json_is_one_row_a_line_and_leaves_the_unknown_out() -> None:
    rows = [make_row(), unrun(claim="never", claimed=0.0, decimals=0)]
    text = render_json(rows)
    first, second = json.loads(text)["rows"]
    assert json.loads(text)["schema"] == SCHEMA
    assert first == {"page": "net_toy", **first}
    assert (first["interval_low"], first["interval_high"]) == (49.1, 50.9)
    assert not {"per_class", "software", "protocol_fields"} & set(first)
    assert second["claimed"] == 0
    assert not {"verified", "gap", "interval_low", "evidence", "arxiv"} & set(second)
    assert list(second) == [name for name in SHORT if name in second]
    assert len([line for line in text.splitlines() if '"page"' in line]) == 2


def test_no_rows_are_valid_json() -> None:
    assert json.loads(render_json([]))["rows"] == []


def test_csv_reads_back_with_fixed_columns() -> None:
    rows = [make_row(reason='a "quoted", cell\nof two lines'), *make_rows(20)]
    read = list(csv.DictReader(io.StringIO(render_csv(rows), newline="")))
    assert [tuple(line) for line in read] == [SHORT] * 21
    assert read[0]["reason"] == rows[0].verdict.reason
    for line, row in zip(read, rows, strict=True):
        assert line["claim"] == row.subject.id
        assert line["metric"] == row.subject.metric
        assert (float(line["verified"]) if line["verified"] else None) == row.verdict.verified
    assert render_csv(rows).count("\r\n") == 22


def test_a_row_that_is_whole_holds_everything(board: Board) -> None:
    row = board.row("toy_strict")
    told = json.loads(json.dumps(whole(row, "toy_strict")))
    back = {name: value for name, value in told.items() if name not in ("schema", "page")}
    everything = json.loads(json.dumps(fields(row)))
    assert back == {k: v for k, v in everything.items() if v not in (None, "", [], {})}
