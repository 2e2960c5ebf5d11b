"""Words, numbers and addresses as HTML. Claims are written by strangers: everything is escaped."""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from importlib.resources import files
from pathlib import PurePosixPath

from segmodels.verdicts.row import Row
from segmodels.verdicts.subject import short_title
from segmodels.verdicts.verdict import STATUSES

#: Stands in every page and badge, so that a later run knows them for its own.
GENERATOR = "segmodels leaderboard"
#: What people call a metric, with its unit.
METRICS = {
    "mIoU": "mIoU, %",
    "mAcc": "class accuracy, %",
    "aAcc": "pixel accuracy, %",
    "mIoU-c": "mIoU-C, %",
    "top1": "top-1, %",
    "params_M": "parameters, M",
    "GFLOPs": "GFLOPs",
    "fps": "images/s",
}
#: From the page of a row to the folder of the main page.
UP = "../"
#: What the words in front of a level mean.
LEVELS = {
    "released weights": "the file its authors gave out, counted here",
    "retrained": "trained here by a recipe of ours",
    "third party": "counted by somebody else, checked here as far as it can be",
    "counted": "parameters and operations, counted from the network itself",
}
#: A cost on either side of its print: neither is a failure, so both get their own words.
_SIDES = {"below": "fewer than printed", "better": "more than printed"}
_SPECIAL = re.compile(r"`[^`]+`|https?://[^\s<>\"']*[^\s<>\"'.,;:()]")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def asset(name: str) -> str:
    """The text of a file in `assets/`."""
    return (files("segmodels.leaderboard") / "assets" / name).read_text(encoding="utf-8")


def page_names(rows: list[Row]) -> list[str]:
    """File name, without ending, of the page of every row, whatever the order of the rows.

    A claim gives its id, a measurement its run and protocol; where that is not enough to tell
    them apart, metric and evidence as well.
    """
    plain = [_page_name(row) for row in rows]
    counted = Counter(plain)
    return [
        name
        if row.subject.id or counted[name] == 1
        else _joined(name, row.subject.metric, row.evidence_key)
        for name, row in zip(plain, rows, strict=True)
    ]


def _page_name(row: Row) -> str:
    if row.subject.id:
        return _joined(row.subject.id)
    return _joined(row.run or row.subject.model, row.protocol_name, row.subject.corruption)


def _joined(*parts: str | None) -> str:
    return _UNSAFE.sub("-", "-".join(part for part in parts if part)).lstrip(".") or "row"


def metric(row: Row) -> str:
    """Metric and unit in words."""
    return METRICS.get(row.subject.metric, row.subject.metric)


def paper(row: Row) -> str:
    """Short name of the paper; of a measurement its run."""
    if row.subject.paper or row.subject.title:
        return short_title(row.subject.title, row.subject.paper)
    return f"run {row.run}" if row.run else ""


def digits(row: Row) -> int:
    """Decimals of a measured number: one more than printed, two for percentages."""
    return 2 if row.subject.unit == "%" else row.subject.decimals + 1


def number(value: float | None, decimals: int) -> str:
    """`55.64`, or a dash."""
    return "\u2013" if value is None else f"{value:.{decimals}f}"


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
    return _SIDES.get(row.verdict.status, "") if counted else ""


def tone(row: Row) -> str:
    """Classes that give a row its colour: a cost beside its print has none."""
    return f"{row.verdict.status} cost" if side(row) else row.verdict.status


def meaning(row: Row) -> str:
    """What the verdict of a row says, in words."""
    if side(row):
        return f"{side(row)} by more than its rounding; this says nothing about quality"
    return STATUSES[row.verdict.status]


def status(row: Row) -> str:
    """The verdict as a mark and a word; what it means comes up when it is pointed at."""
    return (
        f'<span class="status {escape(tone(row))}" title="{escape(meaning(row))}">'
        f"{escape(row.verdict.status)}</span>"
    )


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


def is_file(address: str) -> bool:
    """Whether an address is that of a file beside the page."""
    scheme = ":" in address.partition("/")[0]
    return bool(address) and not scheme and not address.startswith(("/", "\\"))


def link(address: str, text: str) -> str:
    """A link to the web where the address is one, else the text; "" without text."""
    if not text or not address.startswith(("https://", "http://")):
        return escape(text)
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def prose(text: str) -> str:
    """Text with its web addresses as links, and what stands in backticks as code."""
    parts, start = [], 0
    for found in _SPECIAL.finditer(text):
        special = found[0]
        code = f"<code>{escape(special.strip('`'))}</code>"
        shown = code if special.startswith("`") else link(special, special)
        parts += [escape(text[start : found.start()]), shown]
        start = found.end()
    return "".join([*parts, escape(text[start:])])


def file_link(address: str, text: str, up: str = "") -> str:
    """A link to a file beside the page where the address is one, else the text as code.

    Args:
        address: relative to the folder of the main page.
        text: what is shown; "" gives "".
        up: the way from the linking page to that folder.
    """
    shown = f"<code>{escape(text)}</code>" if text else ""
    return f'<a href="{escape(up + address)}">{shown}</a>' if text and is_file(address) else shown


def facts(items: list[tuple[str, str]]) -> str:
    """A list of names and HTML values; an empty value is left out."""
    shown = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in items if value)
    return f'<dl class="facts">{shown}</dl>'
