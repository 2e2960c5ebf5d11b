"""Facts on the page of a row: who printed its number, and what ours was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from segmodels.evidence.counted import NOT_CHECKED
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.links import UP
from segmodels.leaderboard.pieces import Piece, Pieces, code, file_link, link, plain, prose
from segmodels.leaderboard.words import digits, evidence_name, number, signed
from segmodels.verdicts.evidence_summary import EvidenceSummary
from segmodels.verdicts.recounts import Recount
from segmodels.verdicts.row import Row
from segmodels.verdicts.row_subject import arguments_text

#: Names and values; a value that is not known is empty.
Facts = list[tuple[str, Pieces]]

#: What stands on the page for each value of `WeightsSummary.pinned`.
_PINNED = {
    "authors": "by their authors, who publish the sha256",
    "its user": "by a user, who added the file: no checksum of the authors says that it is theirs",
    "first sight": "by us at first sight: the file that came first was noted",
    "no": "not at all: no sha256 is registered, and none was noted yet",
}


def printed(row: Row, neighbours: Mapping[str, Row]) -> Facts:
    """Where a number is printed and by whom."""
    subject, claim = row.subject, row.subject.claim
    checkpoint = claim.checkpoint if claim else ""
    return [
        ("Claim", code(subject.id or "")),
        ("Paper", link(subject.url, subject.title or subject.paper)),
        ("arXiv", link(f"https://arxiv.org/abs/{subject.arxiv}", subject.arxiv)),
        ("Source", prose(subject.source)),
        ("It describes it as", prose(claim.stated if claim else "")),
        ("Its network has", plain(subject.arguments)),
        ("Assumed of its network", plain(arguments_text(claim.assumed) if claim else "")),
        ("Claimed by", plain(subject.claimant)),
        ("Seen in", plain(subject.seen)),
        ("Disturbed by", plain(subject.corruption)),
        ("Checkpoint", link(checkpoint, checkpoint)),
        ("Note", prose(subject.notes)),
        ("Printed otherwise by", _conflicts(row, neighbours)),
    ]


def _conflicts(row: Row, neighbours: Mapping[str, Row]) -> Pieces:
    """Claims that print another number, linked where they have a page beside this one."""
    found: Pieces = []
    for name in row.subject.conflicts:
        other = neighbours[name].subject.claim if name in neighbours else None
        found += plain(", " if found else "")
        found += [Piece(name, address=f"{name}.html" if name in neighbours else "")]
        found += plain(f" ({other.printed})" if other else "")
    return found


def provenance(row: Row, docs: Docs | None) -> Facts:
    """What a number was made from."""
    return [
        ("Protocol", _protocol(row, docs)),
        ("Settings", plain(_settings(row))),
        ("Protocol from", prose(row.protocol.source if row.protocol else "")),
        *_images(row),
        ("Weights", plain(", ".join(_origin(row.weights.origin)))),
        ("Weights sha256", code(row.weights.sha256 or "")),
        ("Weights pinned", plain(_PINNED.get(row.weights.pinned, ""))),
        *(_counted(row.evidence) if row.evidence else ()),
        ("Evidence", file_link(row.evidence_file or "", evidence_name(row), UP)),
        ("Run", code(row.run or "")),
    ]


def recounted(row: Row) -> Facts:
    """What third parties counted of the same weights, and what the rules say of it."""
    return [(one.by, _recount(row, one)) for one in row.recounts]


def _recount(row: Row, one: Recount) -> Pieces:
    found = one.verdict
    gap = "" if found.gap is None else f", gap {signed(found.gap, digits(row))}"
    text = (
        f"{number(found.verified, digits(row))}{gap}: {found.status}, {found.level}. {found.reason}"
    )
    evidence = plain(" Evidence ") + file_link(one.file, one.key, UP)
    where = plain(", published at ") + link(one.at, one.at) if one.at else []
    return plain(text) + evidence + where


def _protocol(row: Row, docs: Docs | None) -> Pieces:
    if not row.protocol_name:
        return [] if row.subject.kind == "relative" else plain("not stated")
    version = f" version {row.protocol.version}" if row.protocol and row.protocol.version else ""
    title = f", {row.protocol_title}" if row.protocol_title else ""
    page = docs.protocol(row.protocol_name) if docs else ""
    return file_link(page, row.protocol_name) + plain(version + title)


def _settings(row: Row) -> str:
    """The protocol field by field, but for those that are off."""
    fields = row.protocol_fields
    whole = [] if fields.get("window") or not fields else ["whole image"]
    return ", ".join([*whole, *(f"{k} {_setting(v)}" for k, v in fields.items() if v)])


def _setting(value: object) -> str:
    return " ".join(map(_item, value)) if isinstance(value, list) else str(value).lower()


def _item(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _images(row: Row) -> Facts:
    """How many images, and what is true of all of them."""
    over = ("Interval over", plain(row.verdict.over))
    seen = row.evidence
    if seen is None:
        return [over]
    shares = [("Pixel accuracy", seen.pixel_accuracy), ("Class accuracy", seen.mean_accuracy)]
    return [
        ("Images", plain(f"{seen.images} of {seen.expected_images}")),
        over,
        *((name, plain(f"{value:.2f} %")) for name, value in shares if value is not None),
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


def _signature(signed: str) -> Pieces:
    """What is known of a third party's signature; nothing where there is none."""
    if signed in ("", NOT_CHECKED):
        return plain(f"there is one; it was {signed}" if signed else "")
    return plain("checked with the public key ") + code(signed)


def _counted(seen: EvidenceSummary) -> Facts:
    who = link(seen.counted_at, seen.counted_by) if seen.counted_by else plain("this project")
    software = ", ".join(f"{name} {version}" for name, version in seen.software.items())
    return [
        ("Dataset content", code(seen.fingerprint)),
        ("Counted by", who + plain(f", evaluator {seen.evaluator}")),
        ("Signature", _signature(seen.signed)),
        ("Software", plain(software)),
    ]
