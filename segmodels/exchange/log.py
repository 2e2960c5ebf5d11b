"""A reproduction log: everything behind one row of the board, as Markdown that can be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segmodels.core.files import canonical_json, sha256_of_file
from segmodels.evidence.files import read_head
from segmodels.leaderboard.words import digits, metric
from segmodels.verdicts.row import Row
from segmodels.verdicts.rules import load_rules
from segmodels.versions import EVALUATOR, SOFTWARE

#: Fields of a head of evidence that are hashes.
_SUMS = ("counts_sha256", "record_sha256")


def reproduction_log(row: Row, folder: Path) -> str:
    """The log of a row.

    Args:
        row: of a claim or statement.
        folder: that `evidence_file` of the row is relative to.
    """
    lines = [f"# Reproduction log: {row.subject.id}", ""]
    for title, part in (
        ("Number", _number(row)),
        ("Verdict", _verdict(row)),
        ("Protocol", _protocol(row)),
        ("Hashes", _hashes(row, folder)),
        ("Environment", _environment(row)),
        ("Commands", _commands(row)),
    ):
        body = "\n".join(part).strip()
        lines += [f"## {title}", "", body, ""] if body else []
    return "\n".join(lines)


def _number(row: Row) -> Iterator[str]:
    subject, verdict, claim = row.subject, row.verdict, row.subject.claim
    yield f"- paper: {_text(subject.title)}{f', arXiv {subject.arxiv}' if subject.arxiv else ''}"
    if claim is None:
        yield f"- statement: {_text(subject.model)}"
        return
    yield f"- printed by {_text(subject.claimant)} in: {_text(subject.source)}"
    yield f"- network: `{claim.model}`{f', {subject.arguments}' if subject.arguments else ''}"
    yield f"- images: {claim.dataset} {claim.split}"
    yield f"- metric: {metric(row)}{f', {subject.corruption}' if subject.corruption else ''}"
    yield f"- printed: {claim.printed}"
    if verdict.verified is None:
        yield "- measured: nothing yet"
        return
    places = digits(row)
    yield f"- measured: {verdict.verified:.{places}f}"
    if verdict.gap is not None:
        yield f"- measured minus printed: {verdict.gap:+.{places}f}"
    if verdict.interval is not None:
        low, high = verdict.interval
        share = load_rules().interval.confidence
        yield f"- {share:.0%} interval over {verdict.over}: {low:.2f} to {high:.2f}"


def _verdict(row: Row) -> Iterator[str]:
    verdict = row.verdict
    level = f", {verdict.level}" if verdict.level else ""
    yield f"**{verdict.status}**{level} (rules version {load_rules().version})"
    if verdict.reason and not verdict.parts:
        yield ""
        yield _text(verdict.reason)
    yield ""
    for part in verdict.parts:
        yield f"- {part.outcome}: {_text(part.about)}: {_text(part.text)}"
    for objection in row.subject.disputed:
        yield f"- disputed by {_text(objection.by)}: {objection.url}"


def _protocol(row: Row) -> Iterator[str]:
    if row.subject.claim is None:
        return
    if not row.protocol_name:
        yield "not stated by the source"
        return
    assert row.protocol is not None
    version = f", version {row.protocol.version}" if row.protocol.version else ""
    yield f"`{row.protocol_name}`{version}: {_text(row.protocol_title)}"
    if row.protocol_fields:
        yield ""
        yield f"`{canonical_json(row.protocol_fields)}`"


def _hashes(row: Row, folder: Path) -> Iterator[str]:
    if row.weights.sha256:
        pinned = f", pinned: {row.weights.pinned}" if row.weights.pinned else ""
        yield f"- weights: sha256 `{row.weights.sha256}`{pinned}"
    if released := row.weights.origin.get("released"):
        yield f"- weights entry: `{released}`"
    seen = row.evidence
    if seen is None:
        if row.cost_file:
            sha256 = sha256_of_file(folder / row.cost_file)
            yield f"- counts of networks: `reports/{row.cost_file}`, sha256 `{sha256}`"
        return
    yield f"- images and labels, decoded: sha256 `{seen.fingerprint}`"
    yield f"- evidence: `{seen.key}`, `reports/{seen.file}`"
    yield f"- images counted: {seen.images} of {seen.expected_images}"
    head: Mapping[str, Any] = read_head((folder / seen.file).with_name(f"{seen.key}.json"))
    yield from (f"- {name}: `{head[name]}`" for name in _SUMS if name in head)
    if seen.counted_by:
        yield f"- counted by: {_text(seen.counted_by)} {_text(seen.counted_at)}".rstrip()
    if seen.signed:
        yield f"- key of their signature: {_text(seen.signed)}"


def _environment(row: Row) -> Iterator[str]:
    if row.evidence:
        yield from (f"- {name}: {version}" for name, version in row.evidence.software.items())
    yield f"- judged by: segmodels {SOFTWARE}, evaluator {EVALUATOR}"


def _commands(row: Row) -> Iterator[str]:
    yield "```sh"
    yield "pip install -c requirements.lock -e '.[flows]'    # in a clone of segmodels"
    yield row.command
    if row.evidence and row.evidence.file.endswith(".json"):
        yield f"segmodels evidence check reports/{row.evidence.file}"
    if row.run:
        yield f"segmodels evaluate {row.run} --force"
    yield "```"


def _text(text: str) -> str:
    """Text on one line that opens no tag and no link of its own."""
    plain = " ".join(text.split()).replace("\\", "\\\\")
    for sign, written in (("<", "&lt;"), ("[", "\\["), ("]", "\\]"), ("|", "\\|")):
        plain = plain.replace(sign, written)
    return plain
