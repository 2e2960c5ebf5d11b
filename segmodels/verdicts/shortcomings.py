"""Why evidence says less than a whole, current evaluation."""

from __future__ import annotations

from collections.abc import Iterator

from segmodels.evidence import Evidence
from segmodels.protocols.protocol import Protocol
from segmodels.verdicts.verdict import Status
from segmodels.versions import EVALUATOR

NO_LABELS = "The evidence holds no labelled pixel."

#: Images that were left out and are named in a sentence.
_NAMED = 3


def skipped_sentence(evidence: Evidence) -> str:
    """How many images could not be read and were left out, and the first of them with why."""
    skipped = list(evidence.skipped.items())
    named = "; ".join(f"{name} ({reason})" for name, reason in skipped[:_NAMED])
    more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    were = "was" if len(skipped) == 1 else "were"
    number = f"{len(skipped)} of {evidence.expected_images} images"
    return f"{number} could not be read and {were} left out: {named}{more}."


def shortcomings(
    evidence: Evidence, protocol: Protocol, outdated: str, command: str
) -> Iterator[tuple[Status, str]]:
    """Why evidence says less than a whole, current evaluation; the weightiest first."""
    if run := evidence.weights_origin.get("trained"):  # `verify` trains nothing
        command = f"segmodels evaluate {run}"
    counted, precision = evidence.identity.evaluator, evidence.identity.precision
    if outdated:
        yield "stale", f"Its weights are of an earlier form of the run ({outdated}): {command}"
    if counted != EVALUATOR:
        yield "stale", f"Counted by evaluator {counted}, now it is {EVALUATOR}: {command}"
    if precision != protocol.precision:
        yield "partial", f"Only counted in {precision}, not in {protocol.precision}: {command}"
    if evidence.counted.how == "unknown":
        yield "partial", f"Who counted it is not recorded: {command}"
    if evidence.shard is not None:
        yield "partial", f"It is shard {evidence.shard} of an evaluation: segmodels evidence merge"
    if evidence.skipped:
        yield "partial", f"{skipped_sentence(evidence)} {command}"
    if lost := evidence.weights_origin.get("skipped_images"):
        cause = f"The weights were trained without {lost} images that could not be read."
        yield "partial", f"{cause} {command}"
    if not evidence.complete:
        seen = f"{len(evidence.images)} of {evidence.expected_images}"
        yield "partial", f"Only {seen} images were evaluated: {command}"
