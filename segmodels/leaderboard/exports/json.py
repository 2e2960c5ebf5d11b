"""A row as data for other programs: short in the tables, whole in a file of its own.

The fields, their units and defaults are described in docs/leaderboard-schema.md.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

from segmodels.leaderboard.headline import counts, headline
from segmodels.leaderboard.markup import disputed, page_names
from segmodels.verdicts.row import Row
from segmodels.verdicts.rules import load_rules
from segmodels.versions import EVALUATOR, SOFTWARE

#: Raised when a field of the JSON or CSV files is renamed, removed or changes its meaning.
SCHEMA = 3

#: Fields of `leaderboard.json` and columns of the CSV export, in this order.
SHORT = (
    *("page", "claim", "kind", "paper", "title", "arxiv", "claimant"),
    *("model", "dataset", "split", "metric", "corruption", "unit"),
    *("claimed", "decimals", "verified", "gap", "interval_low", "interval_high", "tolerance"),
    *("verdict", "level", "obstacle", "reason", "disputed"),
    *("protocol", "protocol_version", "images", "expected_images"),
    *(
        "evidence",
        "evidence_file",
        "weights",
        "pinned",
        "fingerprint",
        "evaluator",
        "counted_by",
        "run",
    ),
    *("source", "url"),
)


def whole(row: Row, page: str) -> dict[str, Any]:
    """Everything about a row, JSON-able; `page` names its files in `claims/`."""
    return {"schema": SCHEMA, "page": page, **_told(dataclasses.asdict(row))}


def short(row: Row, page: str) -> dict[str, Any]:
    """The fields of `SHORT`."""
    low, high = row.interval or (None, None)
    values = {**vars(row), "page": page, "interval_low": low, "interval_high": high}
    values["disputed"] = disputed(row)
    return _told({name: values[name] for name in SHORT})


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is unknown (None) or empty; a zero stays."""
    return {name: value for name, value in values.items() if value not in (None, "", (), {})}


def render_json(rows: list[Row]) -> str:
    """All rows in short, one a line, with the rules they were judged by."""
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "generated_by": f"segmodels {SOFTWARE}",
        "evaluator": EVALUATOR,
        "settings": dataclasses.asdict(load_rules()),
        "headline": headline(rows),
        "verdicts": counts(rows),
    }
    lines = [_line(short(row, page)) for row, page in zip(rows, page_names(rows), strict=True)]
    body = "".join(f"\n    {line}," for line in lines).removesuffix(",") + ("\n  " if lines else "")
    top = json.dumps(head, indent=2, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    return f'{top},\n  "rows": [{body}]\n}}\n'


def render_csv(rows: list[Row]) -> str:
    """All rows in short as RFC 4180: a header, fixed columns, an empty cell for the unknown."""
    out = io.StringIO()
    writer = csv.DictWriter(out, SHORT, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row, page in zip(rows, page_names(rows), strict=True):
        writer.writerow(short(row, page))
    return out.getvalue()


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
