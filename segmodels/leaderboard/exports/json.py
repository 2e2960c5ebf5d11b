"""A row as data for other programs: short in the tables, whole in a file of its own.

The fields, their units and defaults are described in docs/leaderboard-schema.md.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

from segmodels.core.files import json_by_lines
from segmodels.leaderboard.headline import counts, headline
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.words import disputed
from segmodels.metrics.robustness import Robustness
from segmodels.verdicts.part_result import PartResult
from segmodels.verdicts.recounts import Recount
from segmodels.verdicts.row import Row
from segmodels.verdicts.rules import Rules, load_rules
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


def fields(row: Row) -> dict[str, Any]:
    """A row as flat data, whether known or not."""
    subject, verdict, claim, seen = row.subject, row.verdict, row.subject.claim, row.evidence
    return {
        "claim": subject.id,
        "claimed": subject.claimed,
        "verified": verdict.verified,
        "gap": verdict.gap,
        "interval": verdict.interval,
        "verdict": verdict.status,
        "level": verdict.level,
        "reason": verdict.reason,
        "tolerance": verdict.tolerance,
        "model": subject.model,
        "dataset": subject.dataset,
        "split": subject.split,
        "protocol": row.protocol_name,
        "evidence": row.evidence_key,
        "paper": subject.paper,
        "title": subject.title,
        "source": subject.source,
        "url": subject.url,
        "notes": subject.notes,
        "decimals": subject.decimals,
        "run": row.run,
        "rerun": row.command,
        "protocol_title": row.protocol_title,
        "protocol_source": row.protocol.source if row.protocol else "",
        "protocol_version": row.protocol.version if row.protocol else 0,
        "protocol_fields": row.protocol_fields,
        "images": seen and seen.images,
        "expected_images": seen and seen.expected_images,
        "weights": row.weights.sha256,
        "weights_origin": row.weights.origin,
        "pinned": row.weights.pinned,
        "fingerprint": seen and seen.fingerprint,
        "evaluator": seen and seen.evaluator,
        "counted_by": seen and seen.counted_by,
        "counted_at": seen and seen.counted_at,
        "signed": seen and seen.signed,
        "recounts": tuple(map(_recount, row.recounts)),
        "software": seen and seen.software,
        "evidence_file": row.evidence_file,
        "pixel_accuracy": seen and seen.pixel_accuracy,
        "mean_accuracy": seen and seen.mean_accuracy,
        "per_class": seen and seen.per_class,
        "draws": seen and seen.draws and dataclasses.asdict(seen.draws),
        "robustness": row.robustness and _robustness(row.robustness),
        "kind": subject.kind,
        "metric": subject.metric,
        "unit": subject.unit,
        "obstacle": verdict.obstacle,
        "arxiv": subject.arxiv,
        "claimant": subject.claimant,
        "seen": subject.seen,
        "checkpoint": claim and claim.checkpoint,
        "stated": claim and claim.stated,
        "corruption": subject.corruption,
        "conflicts": subject.conflicts,
        "disputed": tuple(objection.model_dump() for objection in subject.disputed),
        "seeds": verdict.seeds,
        "interval_over": verdict.over,
        "seed_interval": verdict.seed_interval,
        "figure": row.figure,
        "findings": tuple(map(_part, verdict.parts)),
        "todo": verdict.todo,
    }


def _recount(one: Recount) -> dict[str, Any]:
    """A third party's number beside that of the row."""
    found = one.verdict
    return {
        **{"by": one.by, "at": one.at, "evidence": one.key, "evidence_file": one.file},
        **{"verified": found.verified, "gap": found.gap, "verdict": found.status},
        "level": found.level,
    }


def _robustness(found: Robustness) -> dict[str, Any]:
    """The curves; `seeds` only where there are several, `clean` where not all images are meant."""
    flat = dataclasses.asdict(found)
    for curve in flat["curves"]:
        if curve["clean"] is None:
            del curve["clean"]
    for point in (point for curve in flat["curves"] for point in curve["points"]):
        if not point["seeds"]:
            del point["seeds"]
    return flat


def _part(part: PartResult) -> dict[str, str | bool]:
    return {"about": part.about, "outcome": part.outcome, "text": part.text, "counts": part.counts}


def whole(row: Row, page: str) -> dict[str, Any]:
    """Everything about a row, JSON-able; `page` names its files in `claims/`."""
    return {"schema": SCHEMA, "page": page, **_known(fields(row))}


#: What begins a formula in spreadsheets.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def short(row: Row, page: str) -> dict[str, Any]:
    """The fields of `SHORT`."""
    low, high = row.verdict.interval or (None, None)
    values = {**fields(row), "page": page, "interval_low": low, "interval_high": high}
    values["disputed"] = disputed(row)
    return _known({name: values[name] for name in SHORT})


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is unknown (None) or empty; a zero stays."""
    return {name: value for name, value in values.items() if value not in (None, "", (), {})}


def render_json(rows: list[Row]) -> str:
    """All rows in short, one a line, with the rules they were judged by."""
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "generated_by": f"segmodels {SOFTWARE}",
        "evaluator": EVALUATOR,
        "settings": _settings(load_rules()),
        "headline": headline(rows),
        "verdicts": counts(rows),
    }
    pages = zip(rows, page_names(rows), strict=True)
    return json_by_lines({**head, "rows": [short(row, page) for row, page in pages]})


def _settings(rules: Rules) -> dict[str, Any]:
    """The rules, with the tolerances of all levels at the top."""
    plain = rules.model_dump()
    return {"version": plain.pop("version"), **plain.pop("tolerance"), **plain}


def render_csv(rows: list[Row]) -> str:
    """All rows in short as RFC 4180: a header, fixed columns, an empty cell for the unknown."""
    out = io.StringIO()
    writer = csv.DictWriter(out, SHORT, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row, page in zip(rows, page_names(rows), strict=True):
        writer.writerow({name: _cell(value) for name, value in short(row, page).items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets an apostrophe, which it hides."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
