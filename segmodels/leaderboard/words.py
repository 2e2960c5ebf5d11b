"""What a row says, in words and numbers."""

from __future__ import annotations

from pathlib import PurePosixPath

from segmodels.metrics.robustness import Robustness
from segmodels.verdicts.row import Row
from segmodels.verdicts.row_subject import short_title
from segmodels.verdicts.verdict import STATUSES

#: Stands in every page and badge, so that a later run knows them for its own.
GENERATOR = "segmodels leaderboard"
#: What people call a metric, with its unit.
METRICS = {
    "mIoU": "mIoU, %",
    "mAcc": "class accuracy, %",
    "aAcc": "pixel accuracy, %",
    "mIoU-c": "mIoU-C, %",
    "mIoU-n": "mIoU under noise, %",
    "top1": "top-1, %",
    "params_M": "parameters, M",
    "GFLOPs": "GFLOPs",
    "fps": "images/s",
}
#: What the words in front of a level mean.
LEVELS = {
    "released weights": "the file its authors gave out, counted here",
    "retrained": "trained here by the recipe of a run that names the claim",
    "trained here": "trained here by a run of ours that answers no claim",
    "own network": "a user's own, with the weights that its function gives it",
    "third party": "counted by somebody else, checked here as far as it can be",
    "counted": "parameters and operations, counted from the network itself",
}
#: A cost on either side of its print: neither is a failure, so both get their own words.
_BESIDE_PRINT = {"below": "fewer than printed", "better": "more than printed"}


def metric(row: Row) -> str:
    """Metric and unit in words."""
    return METRICS.get(row.subject.metric, row.subject.metric)


def paper(row: Row) -> str:
    """Short name of the paper; of a measurement its run, and what its network has."""
    if row.subject.paper or row.subject.title:
        return short_title(row.subject.title, row.subject.paper)
    return ", ".join(filter(None, (f"run {row.run}" if row.run else "", row.subject.arguments)))


def corruptions(found: Robustness) -> str:
    """What a mean over corruptions is over: `19 corruptions, severities 1 to 5`; empty without."""
    curves = [curve for curve in found.curves if curve.kind == "corruption"]
    levels = sorted({f"{point.level:g}" for curve in curves for point in curve.points})
    if not curves:
        return ""
    number = "1 corruption" if len(curves) == 1 else f"{len(curves)} corruptions"
    whole = len(levels) > 2 and int(levels[-1]) - int(levels[0]) == len(levels) - 1
    places = f"{levels[0]} to {levels[-1]}" if whole else ", ".join(levels)
    return f"{number}, severit{'y' if len(levels) == 1 else 'ies'} {places}"


def digits(row: Row) -> int:
    """Decimals of a measured number: one more than printed, two for percentages."""
    return 2 if row.subject.unit == "%" else row.subject.decimals + 1


def number(value: float | None, decimals: int) -> str:
    """`55.64`, or a dash."""
    return "\u2013" if value is None else f"{value:.{decimals}f}"


def percent(value: float) -> int:
    """The nearest whole percent from 0 to 100, as the classes of the style sheet have it."""
    return max(0, min(100, round(value)))


def signed(value: float | None, decimals: int = 2) -> str:
    """`+0.01`, `\u22120.30`, `0.00` or a dash."""
    if value is None:
        return "\u2013"
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "\u2212") + text


def bounds(row: Row) -> str:
    """The interval in numbers, or a dash."""
    if row.verdict.interval is None:
        return "\u2013"
    low, high = row.verdict.interval
    return f"{low:.{digits(row)}f}\u2013{high:.{digits(row)}f}"


def side(row: Row) -> str:
    """`fewer than printed` or `more than printed` for parameters and operations, else ""."""
    counted = row.subject.metric in ("params_M", "GFLOPs")
    return _BESIDE_PRINT.get(row.verdict.status, "") if counted else ""


def tone(row: Row) -> str:
    """Classes that give a row its colour: a cost beside its print has none."""
    return f"{row.verdict.status} cost" if side(row) else row.verdict.status


def meaning(row: Row) -> str:
    """What the verdict of a row says, in words."""
    if side(row):
        return f"{side(row)} by more than its rounding; this says nothing about quality"
    return STATUSES[row.verdict.status]


def below_status(row: Row) -> str:
    """What stands below a verdict: that it is disputed, the obstacle, or the side of a cost."""
    return ", ".join(filter(None, (disputed(row), row.verdict.obstacle or side(row))))


def disputed(row: Row) -> str:
    """`disputed` while an objection has no answer, `disputed, answered` then; "" without one."""
    objections = row.subject.disputed
    if not objections:
        return ""
    return "disputed, answered" if all(one.answer for one in objections) else "disputed"


def evidence_name(row: Row) -> str:
    """The key of the evidence; without one the name of the file that holds it."""
    return row.evidence_key or PurePosixPath(row.evidence_file or "").stem


def level(row: Row) -> str:
    """Where the measured weights come from, and who else counted them; "" for a statement, which
    has many.
    """
    if row.verdict.level is None:
        return "" if row.subject.kind == "relative" else "not run"
    also = ", ".join(one.by for one in row.recounts)
    return row.verdict.level + (f"; counted by {also} too" if also else "")
