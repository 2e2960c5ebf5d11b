r"""Rows as a LaTeX table that a paper can paste; it needs `\usepackage{booktabs}` alone."""

from __future__ import annotations

from string import ascii_lowercase

from segmodels.leaderboard.words import digits, disputed
from segmodels.verdicts.row import Row
from segmodels.verdicts.rules import load_rules

_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}

_METRICS = {
    "params_M": "parameters (M)",
    "mIoU": r"mIoU (\%)",
    "mAcc": r"class accuracy (\%)",
    "aAcc": r"pixel accuracy (\%)",
    "mIoU-c": r"mIoU-C (\%)",
    "mIoU-n": r"mIoU under noise (\%)",
}


def render_latex(rows: list[Row]) -> str:
    """One table; every protocol is a footnote below it."""
    marks = _marks(rows)
    confidence = load_rules().interval.confidence
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\caption{Published results and what was measured again with segmodels.}",
        r"\label{tab:segmodels}",
        r"\begin{tabular}{lllrrrlll}",
        r"\toprule",
        rf"Model & Dataset & Metric & Claimed & Verified & Gap & {100 * confidence:g}\,\% interval "
        r"& Verdict & Level \\",
        r"\midrule",
        *(" & ".join(_cells(row, marks)) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *(rf"{_mark(mark)} {_protocol(name, rows)}\par" for name, mark in marks.items()),
        r"\end{minipage}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Words as LaTeX prints them."""
    return "".join(_SIGNS.get(letter, letter) for letter in " ".join(text.split()))


def _cells(row: Row, marks: dict[str, str]) -> list[str]:
    claimed = (
        "--" if row.subject.claimed is None else f"{row.subject.claimed:.{row.subject.decimals}f}"
    )
    verified = "--" if row.verdict.verified is None else f"{row.verdict.verified:.{digits(row)}f}"
    gap = "--" if row.verdict.gap is None else f"${row.verdict.gap:+.{digits(row)}f}$"
    return [
        escape(row.subject.model) + _mark(marks[row.protocol_name]),
        escape(row.subject.dataset),
        _METRICS.get(row.subject.metric, escape(row.subject.metric)),
        *(claimed, verified, gap, _interval(row)),
        escape(", ".join(filter(None, (row.verdict.status, disputed(row))))),
        escape(row.verdict.level or "--"),
    ]


def _interval(row: Row) -> str:
    if row.verdict.interval is None:
        return "--"
    low, high = (f"{value:.{digits(row)}f}" for value in row.verdict.interval)
    return f"{low}--{high}"


def _marks(rows: list[Row]) -> dict[str, str]:
    """A letter per protocol in the order of the rows: a … z, aa, ab, …"""
    names = dict.fromkeys(row.protocol_name for row in rows)
    return {name: _letters(place) for place, name in enumerate(names)}


def _letters(place: int) -> str:
    many, last = divmod(place, len(ascii_lowercase))
    return (_letters(many - 1) if many else "") + ascii_lowercase[last]


def _mark(letters: str) -> str:
    return rf"\textsuperscript{{{letters}}}"


def _protocol(name: str, rows: list[Row]) -> str:
    if not name:
        return "Protocol not stated."
    title = next((row.protocol_title for row in rows if row.protocol_name == name), "")
    return escape(f"{name}: {title}." if title else f"{name}.")
