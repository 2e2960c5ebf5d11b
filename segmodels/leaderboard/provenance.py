"""Where a number comes from: who printed it, and what ours was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.markup import UP, evidence_name, file_link, link, number, prose
from segmodels.verdicts.evidence_summary import EvidenceSummary
from segmodels.verdicts.row import Row

#: What stands on the page for each value of `WeightsSummary.pinned`.
_PINNED = {
    "authors": "by their authors, who publish the sha256",
    "first sight": "by us at first sight: the file that came first was noted",
    "no": "not at all: no sha256 is registered, and none was noted yet",
}


def printed(row: Row, neighbours: dict[str, Row]) -> list[tuple[str, str]]:
    """Where a number is printed and by whom, as names and HTML."""
    claim = row.subject.claim
    checkpoint = claim.checkpoint if claim else ""
    conflicts = [_neighbour(name, neighbours) for name in row.subject.conflicts]
    number = row.subject.arxiv
    arxiv = link(f"https://arxiv.org/abs/{number}", number) if number else ""
    return [
        ("Claim", file_link("", row.subject.id or "")),
        ("Paper", link(row.subject.url, row.subject.title or row.subject.paper)),
        ("arXiv", arxiv),
        ("Source", prose(row.subject.source)),
        ("It describes it as", prose(claim.stated if claim else "")),
        ("Claimed by", escape(row.subject.claimant)),
        ("Seen in", escape(row.subject.seen)),
        ("Disturbed by", escape(row.subject.corruption)),
        ("Checkpoint", link(checkpoint, checkpoint)),
        ("Note", prose(row.subject.notes)),
        ("Printed otherwise by", ", ".join(conflicts)),
    ]


def _neighbour(name: str, neighbours: dict[str, Row]) -> str:
    if name not in neighbours:
        return escape(name)
    other = neighbours[name].subject
    printed = "" if other.claimed is None else f" ({number(other.claimed, other.decimals)})"
    return f'<a href="{escape(name)}.html">{escape(name)}</a>{printed}'


def provenance(row: Row, docs: Docs | None) -> list[tuple[str, str]]:
    """What a number was made from, as names and HTML; what is not known is empty."""
    origin = ", ".join(_origin(row.weights.origin))
    return [
        ("Protocol", _protocol(row, docs)),
        ("Settings", escape(_settings(row))),
        ("Protocol from", prose(row.protocol.source if row.protocol else "")),
        *_images(row),
        ("Weights", escape(origin)),
        ("Weights sha256", file_link("", row.weights.sha256 or "")),
        ("Weights pinned", _PINNED.get(row.weights.pinned, "")),
        *_counted(row.evidence),
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


def _images(row: Row) -> list[tuple[str, str]]:
    over = ("Interval over", escape(row.verdict.over))
    seen = row.evidence
    if seen is None:
        return [over]
    shares = [("Pixel accuracy", seen.pixel_accuracy), ("Class accuracy", seen.mean_accuracy)]
    return [
        ("Images", f"{seen.images} of {seen.expected_images}"),
        over,
        *((name, f"{value:.2f} %") for name, value in shares if value is not None),
    ]


def _counted(seen: EvidenceSummary | None) -> list[tuple[str, str]]:
    if seen is None:
        return []
    who = link(seen.counted_at, seen.counted_by) if seen.counted_by else "this project"
    return [
        ("Dataset content", file_link("", seen.fingerprint)),
        ("Counted by", f"{who}, evaluator {seen.evaluator}"),
        ("Software", escape(", ".join(f"{k} {v}" for k, v in seen.software.items()))),
    ]


def _protocol(row: Row, docs: Docs | None) -> str:
    if not row.protocol_name:
        return "" if row.subject.kind == "relative" else "not stated"
    version = f" version {row.protocol.version}" if row.protocol and row.protocol.version else ""
    title = f", {escape(row.protocol_title)}" if row.protocol_title else ""
    name = file_link(docs.protocol(row.protocol_name) if docs else "", row.protocol_name)
    return f"{name}{version}{title}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _settings(row: Row) -> str:
    def shown(value: object) -> str:
        return " ".join(map(_plain, value)) if isinstance(value, list) else str(value).lower()

    fields = row.protocol_fields
    whole = [] if fields.get("window") or not fields else ["whole image"]
    return ", ".join([*whole, *(f"{k} {shown(v)}" for k, v in fields.items() if v)])
