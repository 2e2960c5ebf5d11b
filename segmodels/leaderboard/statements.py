"""Judging "A beats B": every part that can be counted or measured, and what cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from segmodels.claims import CostPart, EvidencePart, Statement
from segmodels.errors import SegmodelsError, pick
from segmodels.evidence import Evidence, read_evidence
from segmodels.leaderboard.costs import Costs
from segmodels.leaderboard.shelf import Found
from segmodels.protocols import Protocol
from segmodels.rules import Rules
from segmodels.runs import Run, load_run
from segmodels.scores import Interval, kept, paired_bootstrap, paired_kept, score
from segmodels.verdict import Status, Verdict
from segmodels.versions import EVALUATOR

Outcome = Literal["holds", "fails", "open"]
EvidenceOf = Callable[[Run, Protocol], tuple[Found | None, list[Found]]]


@dataclass(frozen=True)
class Finding:
    """What one part came to.

    Attributes:
        about: what is compared; "" for something nobody here can measure.
        outcome: whether it holds; `open` when nothing was measured or the two are too close.
        text: the numbers, or why there are none.
        counts: whether it can decide the statement: it was counted, or measured at the paper's
            own budget.
        said: the outcome in the words of the reason, where `text` does not tell it.
    """

    about: str
    outcome: Outcome
    text: str
    counts: bool
    said: str = ""

    @property
    def sentence(self) -> str:
        """The part as one sentence."""
        told = f"{self.said}, {self.text}" if self.said else self.text
        return f"{self.about}: {told}" if self.about else told


def judge_statement(
    statement: Statement,
    costs: Costs,
    evidence_of: EvidenceOf,
    protocols: Mapping[str, Protocol],
    rules: Rules,
) -> tuple[Verdict, list[Finding]]:
    """`verified` when every part holds at the paper's terms, `below` when none of those holds.

    What holds at another budget, or in part, is `partial`; what nothing here bears out is
    `unverified`. The reason tells every part; the findings hold the same apart, with what is
    missing as open.

    Raises:
        SegmodelsError: a part names something that does not exist, or runs on other images.
    """
    try:
        findings = [
            _cost(part, costs)
            if isinstance(part, CostPart)
            else _measured(part, evidence_of, protocols, rules)
            for part in statement.parts
        ]
    except SegmodelsError as error:
        raise SegmodelsError(f"statement {statement.id!r}: {error}") from None
    every = [*findings, *(Finding("", "open", text, True) for text in statement.missing)]
    told = " ".join(finding.sentence for finding in every)
    return Verdict(_status(findings, bool(statement.missing)), told), every


def _status(findings: list[Finding], missing: bool) -> Status:
    decisive = {finding.outcome for finding in findings if finding.counts}
    every = all(finding.counts for finding in findings) and not missing
    if every and decisive == {"holds"}:
        return "verified"
    if decisive == {"fails"}:
        return "below"
    return "partial" if any(f.outcome == "holds" for f in findings) else "unverified"


def _cost(part: CostPart, costs: Costs) -> Finding:
    convention = pick("convention", part.convention, costs.conventions)
    found = costs.compared(part)
    if found is None:
        return Finding(part.about, "open", "not counted yet (segmodels efficiency).", True)
    subject, other = found
    holds = subject < other if part.relation == "lower" else subject > other
    unit = "M" if convention.quantity == "parameters" else "G"
    word = "holds" if holds else "does not hold"
    text = f"{subject:.2f} {unit} against {other:.2f} {unit}."
    return Finding(part.about, "holds" if holds else "fails", text, True, word)


def _measured(
    part: EvidencePart,
    evidence_of: EvidenceOf,
    protocols: Mapping[str, Protocol],
    rules: Rules,
) -> Finding:
    protocol = pick("protocol", part.protocol, protocols)
    sides = [evidence_of(load_run(name), protocol) for name in (part.subject, part.other)]
    pairs = [(found.evidence, copies) for found, copies in sides if found and _decides(found)]
    if len(pairs) < 2:
        return _open(part, f"segmodels evaluate {part.subject} and {part.other}")
    (first, first_copies), (second, second_copies) = pairs
    if part.quantity == "mIoU":
        values = score(first, protocol).miou, score(second, protocol).miou
        interval = paired_bootstrap(first, second, protocol, rules.bootstrap)
        return _compared(part, values, interval)
    changed = (
        _elsewhere(part, evidence_of, protocols)
        if part.under
        else _common(first_copies, second_copies, part.condition)
    )
    if not changed:
        what = ", ".join(part.under) or part.condition.replace("_", " ")
        return _open(part, f"{what} was not evaluated for both")
    ones, others = ([read_evidence(f.path) for f in side] for side in zip(*changed, strict=True))
    values = 100 * kept(first, ones, protocol), 100 * kept(second, others, protocol)
    low, high = paired_kept((first, ones), (second, others), protocol, rules.bootstrap)
    return _compared(part, values, (100 * low, 100 * high))


def _elsewhere(
    part: EvidencePart, evidence_of: EvidenceOf, protocols: Mapping[str, Protocol]
) -> list[tuple[Found, Found]]:
    """Evidence of both runs under the other protocols; empty unless all of it is here."""
    runs = load_run(part.subject), load_run(part.other)
    others = [pick("protocol", name, protocols) for name in part.under]
    found = [tuple(evidence_of(run, other)[0] for run in runs) for other in others]
    pairs = [(a, b) for a, b in found if a and b and _decides(a) and _decides(b)]
    return pairs if len(pairs) == len(found) else []


def _decides(found: Found) -> bool:
    """A statement has no level of its own, so only whole and current counts of ours decide it,
    of weights that are known by what they are.
    """
    evidence = found.evidence
    ours = not found.by and not found.unpinned
    return ours and evidence.complete and evidence.identity.evaluator == EVALUATOR


def _open(part: EvidencePart, why: str) -> Finding:
    return Finding(part.about, "open", f"not measured yet ({why}).", part.as_published)


def _common(first: list[Found], second: list[Found], condition: str) -> list[tuple[Found, Found]]:
    """Copies of both under equal conditions of one kind, over the same images."""
    partners = {_terms(found.evidence): found for found in second}
    return [
        (found, partners[_terms(found.evidence)])
        for found in first
        if condition in (found.evidence.identity.condition or {})
        and _terms(found.evidence) in partners
    ]


def _terms(evidence: Evidence) -> str:
    condition = evidence.identity.condition or {}
    return repr((sorted(condition.items()), evidence.identity.images, evidence.expected_images))


def _compared(part: EvidencePart, values: tuple[float, float], interval: Interval) -> Finding:
    low, high = interval
    above, below = low > 0, high < 0
    wanted, contrary = (above, below) if part.relation == "higher" else (below, above)
    outcome: Outcome = "holds" if wanted else "fails" if contrary else "open"
    word = {"holds": "so it is", "fails": "the opposite", "open": ""}[outcome]
    what = "mIoU" if part.quantity == "mIoU" else "percent of the clean mIoU kept"
    numbers = f"{values[0]:.2f} against {values[1]:.2f} {what}"
    close = "too close to tell, " if outcome == "open" else ""
    text = f"{close}{numbers}, difference {low:+.2f} to {high:+.2f} ({part.budget})."
    return Finding(part.about, outcome, text, part.as_published, word)
