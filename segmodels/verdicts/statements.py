"""Judging "A beats B": every part that can be counted or measured, and what cannot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from segmodels.claims import CostPart, EvidencePart, Statement
from segmodels.core.wording import many
from segmodels.efficiency.claims import Costs
from segmodels.errors import SegmodelsError, pick
from segmodels.evidence import Evidence, read_evidence
from segmodels.evidence.places import places_asked
from segmodels.metrics.comparison import Difference, TrainingCounts, compare
from segmodels.protocols.protocol import Protocol
from segmodels.runs.run import Run, load_run
from segmodels.verdicts.evidence_index import Found
from segmodels.verdicts.part_result import PartOutcome, PartResult
from segmodels.verdicts.retrained import wrong_seeds
from segmodels.verdicts.rules import Rules
from segmodels.verdicts.verdict import Status, Verdict, each_once
from segmodels.versions import EVALUATOR

EvidenceOf = Callable[[Run, Protocol], tuple[Found | None, list[Found]]]


def judge_statement(
    statement: Statement,
    costs: Costs,
    evidence_of: EvidenceOf,
    protocols: Mapping[str, Protocol],
    rules: Rules,
) -> Verdict:
    """`verified` when every part holds at the paper's terms, `below` when none of those holds.

    What holds at another budget, on these images alone, or in part, is `partial`; what was
    measured at the paper's terms and cannot be told is `inconclusive`, and what nothing here
    bears out is `unverified`. The reason has every part; `parts` holds the same apart, with what
    is missing as open. Parts that are measured are tested together: the interval of each is
    so wide that all of them hold at once as often as a single one would (Bonferroni).

    Raises:
        SegmodelsError: a part names something that does not exist, or runs on other images.
    """
    tests = sum(isinstance(part, EvidencePart) for part in statement.parts)
    try:
        results = [
            _cost(part, costs)
            if isinstance(part, CostPart)
            else _measured(part, evidence_of, protocols, rules, tests)
            for part in statement.parts
        ]
    except SegmodelsError as error:
        raise SegmodelsError(f"statement {statement.id!r}: {error}") from None
    every = [*results, *(PartResult("", "open", text, True) for text in statement.missing)]
    reason = " ".join([*(part.sentence for part in every), *_at_once(tests, rules)])
    return Verdict(_status(results, bool(statement.missing)), reason, parts=tuple(every))


def _at_once(tests: int, rules: Rules) -> list[str]:
    if tests < 2:
        return []
    each = 100 * _confidence(tests, rules)
    return [f"{tests} parts are measured at once, so each interval is one of {each:.4g} %."]


def _confidence(tests: int, rules: Rules) -> float:
    return 1 - (1 - rules.interval.confidence) / tests


def _status(results: list[PartResult], missing: bool) -> Status:
    decisive = {result.outcome for result in results if result.counts}
    every = all(result.counts for result in results) and not missing
    if every and decisive == {"holds"}:
        return "verified"
    if decisive == {"fails"}:
        return "below"
    if any(result.outcome in ("holds", "holds_here") for result in results):
        return "partial"
    undecided = any(result.counts and result.measured for result in results)
    return "inconclusive" if undecided else "unverified"


def _cost(part: CostPart, costs: Costs) -> PartResult:
    convention = pick("convention", part.convention, costs.conventions)
    found = costs.compared(part)
    if found is None:
        return PartResult(part.about, "open", "not counted yet (segmodels efficiency).", True)
    subject, other = found
    holds = subject < other if part.relation == "lower" else subject > other
    unit = "M" if convention.quantity == "parameters" else "G"
    word = "holds" if holds else "does not hold"
    text = f"{subject:.2f} {unit} against {other:.2f} {unit}."
    return PartResult(part.about, "holds" if holds else "fails", text, True, word, measured=True)


def _measured(
    part: EvidencePart,
    evidence_of: EvidenceOf,
    protocols: Mapping[str, Protocol],
    rules: Rules,
    tests: int,
) -> PartResult:
    protocol = pick("protocol", part.protocol, protocols)
    sides = [_side(names, evidence_of, protocol) for names in (part.subject, part.other)]
    if not all(sides):
        return _open(part, f"segmodels evaluate {' and '.join(part.runs)}")
    trainings: list[list[TrainingCounts]] = [[(one.clean.evidence, ()) for one in s] for s in sides]
    if part.quantity == "kept":
        changed = (
            _elsewhere(part, sides, evidence_of, protocols)
            if part.under
            else _common(sides, part.condition)
        )
        if not changed:
            what = ", ".join(part.under) or part.condition.replace("_", " ")
            return _open(part, f"{what} was not evaluated for both")
        trainings = changed
    rule = rules.interval.replace(confidence=_confidence(tests, rules))
    first, second = trainings
    copies = 0 if part.under else len(first[0][1])
    return _compared(part, compare(first, second, protocol, rule), rules, copies)


@dataclass(frozen=True)
class _Trained:
    """One training of a side: its run, its clean evidence, and disturbed copies of it."""

    run: Run
    clean: Found
    copies: list[Found]


def _side(names: Iterable[str], evidence_of: EvidenceOf, protocol: Protocol) -> list[_Trained]:
    """The trainings of one side of which there is evidence that decides, each once."""
    runs = [load_run(name) for name in names]
    if wrong := next(wrong_seeds(runs), None):
        raise SegmodelsError(wrong)
    found = ((run, *evidence_of(run, protocol)) for run in runs)
    known = [_Trained(run, one, copies) for run, one, copies in found if one and decides(one)]
    once = {evidence.key for evidence in each_once(one.clean.evidence for one in known)}
    return [one for one in known if one.clean.evidence.key in once]


def _elsewhere(
    part: EvidencePart,
    sides: Sequence[list[_Trained]],
    evidence_of: EvidenceOf,
    protocols: Mapping[str, Protocol],
) -> list[list[TrainingCounts]]:
    """The trainings of both sides under the other protocols; empty unless all of it is here."""
    others = [pick("protocol", name, protocols) for name in part.under]
    changed: list[list[TrainingCounts]] = []
    for side in sides:
        found = [[evidence_of(one.run, other)[0] for other in others] for one in side]
        known = [[one for one in each if one and decides(one)] for each in found]
        if any(len(each) < len(others) for each in known):
            return []
        again = ([read_evidence(one.path) for one in each] for each in known)
        changed.append([(t.clean.evidence, one) for t, one in zip(side, again, strict=True)])
    return changed


def decides(found: Found) -> bool:
    """A statement has no level of its own, so only whole and current counts of ours in fp32
    decide it, of weights that are known by what they are.
    """
    evidence = found.evidence
    ours = not found.by and not found.unpinned
    whole = evidence.complete and evidence.shard is None and evidence.identity.precision == "fp32"
    return ours and whole and evidence.identity.evaluator == EVALUATOR


def _open(part: EvidencePart, why: str) -> PartResult:
    return PartResult(part.about, "open", f"not measured yet ({why}).", part.as_published)


def _common(sides: Sequence[list[_Trained]], condition: str) -> list[list[TrainingCounts]]:
    """The trainings under equal conditions of one kind, which all of them went through on all
    images: those of a part of a split decide nothing.
    """
    kinds = [
        [
            {
                _terms(found.evidence): found
                for found in one.copies
                if condition in (found.evidence.identity.condition or {})
                and places_asked(found.evidence) == places_asked(one.clean.evidence)
            }
            for one in side
        ]
        for side in sides
    ]
    everyone = [kind for side in kinds for kind in side]
    common = [terms for terms in everyone[0] if all(terms in kind for kind in everyone)]
    if not common:
        return []
    return [
        [
            (one.clean.evidence, [read_evidence(kind[terms].path) for terms in common])
            for one, kind in zip(side, of_side, strict=True)
        ]
        for side, of_side in zip(sides, kinds, strict=True)
    ]


def _terms(evidence: Evidence) -> str:
    condition = evidence.identity.condition or {}
    return repr((sorted(condition.items()), evidence.identity.images, evidence.expected_images))


def _compared(part: EvidencePart, found: Difference, rules: Rules, copies: int) -> PartResult:
    """A difference as a part of the verdict; `copies` are the conditions that all went through."""
    what = "mIoU" if part.quantity == "mIoU" else "percent of the clean mIoU kept"
    if any(math.isnan(value) for value in found.values):
        text = f"a clean mIoU is 0, so that no share of it can be kept ({part.budget})."
        return PartResult(part.about, "open", text, part.as_published, measured=True)
    outcome = _outcome(part, found, rules)
    low, high = found.interval
    numbers = f"{found.values[0]:.2f} against {found.values[1]:.2f} {what}"
    close = "too close to tell, " if outcome == "open" else ""
    unknown = math.isnan(low)
    interval = "of unknown interval" if unknown else f"{low:+.2f} to {high:+.2f}"
    under = f" under {many(copies, 'condition')}" if copies else ""
    text = f"{close}{numbers}{under}, difference {interval} over {found.over} ({part.budget})."
    in_words = _IN_WORDS[outcome]
    return PartResult(part.about, outcome, text, part.as_published, in_words, measured=True)


_IN_WORDS: dict[PartOutcome, str] = {
    "holds": "so it is",
    "holds_here": "so it is, on these images alone",
    "fails": "the opposite",
    "fails_here": "the opposite, on these images alone",
    "open": "",
}


def _outcome(part: EvidencePart, found: Difference, rules: Rules) -> PartOutcome:
    """One training a side tells two networks apart, not what they are trained from."""
    low, high = found.interval
    above, below = low > 0, high < 0
    wanted, contrary = (above, below) if part.relation == "higher" else (below, above)
    enough = min(found.seeds) >= rules.statements.seeds
    if wanted:
        return "holds" if enough else "holds_here"
    if contrary:
        return "fails" if enough else "fails_here"
    return "open"
