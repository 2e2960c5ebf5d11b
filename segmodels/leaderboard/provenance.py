"""Where a number comes from: who printed it, and what ours was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.markup import UP, evidence_name, file_link, link, number, prose
from segmodels.verdicts.row import Row

#: What stands on the page for each value of `Row.pinned`.
_PINNED = {
    "authors": "by their authors, who publish the sha256",
    "first sight": "by us at first sight: the file that came first was noted",
    "no": "not at all: no sha256 is registered, and none was noted yet",
}


def printed(row: Row, neighbours: dict[str, Row]) -> list[tuple[str, str]]:
    """Where a number is printed and by whom, as names and HTML."""
    conflicts = [_neighbour(name, neighbours) for name in row.conflicts]
    arxiv = link(f"https://arxiv.org/abs/{row.arxiv}", row.arxiv) if row.arxiv else ""
    return [
        ("Claim", file_link("", row.claim or "")),
        ("Paper", link(row.url, row.title or row.paper)),
        ("arXiv", arxiv),
        ("Source", prose(row.source)),
        ("It describes it as", prose(row.stated)),
        ("Claimed by", escape(row.claimant)),
        ("Seen in", escape(row.seen)),
        ("Disturbed by", escape(row.corruption)),
        ("Checkpoint", link(row.checkpoint, row.checkpoint)),
        ("Note", prose(row.notes)),
        ("Printed otherwise by", ", ".join(conflicts)),
    ]


def _neighbour(name: str, neighbours: dict[str, Row]) -> str:
    if name not in neighbours:
        return escape(name)
    row = neighbours[name]
    printed = "" if row.claimed is None else f" ({number(row.claimed, row.decimals)})"
    return f'<a href="{escape(name)}.html">{escape(name)}</a>{printed}'


def provenance(row: Row, docs: Docs | None) -> list[tuple[str, str]]:
    """What a number was made from, as names and HTML; what is not known is empty."""
    origin = ", ".join(_origin(row.weights_origin))
    images = "" if row.images is None else f"{row.images} of {row.expected_images}"
    accuracies = [
        ("Pixel accuracy", row.pixel_accuracy),
        ("Class accuracy", row.mean_accuracy),
    ]
    return [
        ("Protocol", _protocol(row, docs)),
        ("Settings", escape(_settings(row))),
        ("Protocol from", prose(row.protocol_source)),
        ("Images", images),
        ("Interval over", escape(row.interval_over)),
        *((name, f"{value:.2f} %") for name, value in accuracies if value is not None),
        ("Weights", escape(origin)),
        ("Weights sha256", file_link("", row.weights or "")),
        ("Weights pinned", _PINNED.get(row.pinned, "")),
        ("Dataset content", file_link("", row.fingerprint or "")),
        ("Counted by", _counted(row)),
        ("Software", escape(", ".join(f"{k} {v}" for k, v in row.software.items()))),
        ("Evidence", file_link(row.evidence_file or "", evidence_name(row), UP)),
        ("Run", file_link("", row.run or "")),
    ]


def _origin(origin: Mapping[str, Any]) -> Iterator[str]:
    """Where weights come from; of a training the recipe and the seed, the rest is in the file."""
    made = origin.get("training", {})
    for name, value in origin.items():
        if name != "training":
            yield f"{name} {value}"
    if made:
        yield f"recipe {made.get('recipe', {}).get('name', '')}"
        yield f"seed {made.get('seed', '')}"


def _counted(row: Row) -> str:
    if row.evaluator is None:
        return ""
    who = link(row.counted_at, row.counted_by) if row.counted_by else "this project"
    return f"{who}, evaluator {row.evaluator}"


def _protocol(row: Row, docs: Docs | None) -> str:
    if not row.protocol:
        return "" if row.kind == "relative" else "not stated"
    version = f" version {row.protocol_version}" if row.protocol_version else ""
    title = f", {escape(row.protocol_title)}" if row.protocol_title else ""
    name = file_link(docs.protocol(row.protocol) if docs else "", row.protocol)
    return f"{name}{version}{title}"


def _settings(row: Row) -> str:
    def shown(value: object) -> str:
        return " ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value).lower()

    whole = [] if row.protocol_fields.get("window") or not row.protocol_fields else ["whole image"]
    return ", ".join([*whole, *(f"{k} {shown(v)}" for k, v in row.protocol_fields.items() if v)])
