"""The leaderboard as one HTML file that opens from disk, in light and dark, on a phone too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html import escape
from string import Template

from segmodels.leaderboard.charts.bars import common_span
from segmodels.leaderboard.charts.curves import robustness_section
from segmodels.leaderboard.charts.gaps import gap_section
from segmodels.leaderboard.charts.scatter import scatter_section
from segmodels.leaderboard.datatables import inline, table_library
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.findings import statement_section
from segmodels.leaderboard.guide import about, how_to_read
from segmodels.leaderboard.headline import GROUPS, Group, counts, headline
from segmodels.leaderboard.markup import (
    GENERATOR,
    asset,
    below_status,
    bounds,
    digits,
    evidence_name,
    file_link,
    metric,
    number,
    page_names,
    paper,
    signed,
    status,
)
from segmodels.leaderboard.table_data import first_to_last, level, table_data
from segmodels.verdicts.row import Row
from segmodels.verdicts.rules import Rules, load_rules
from segmodels.verdicts.verdict import STATUSES, Status

#: The columns of the table, and which of them hold numbers.
COLUMNS = (
    *("Dataset", "Model", "Metric", "Claimed", "Verified", "Gap", "Interval"),
    *("Status", "Level", "Protocol", "Evidence"),
)
_NUMBERS = ("Claimed", "Verified", "Gap")
_FILTERS: dict[str, Callable[[Row], str]] = {
    "paper": paper,
    "dataset": lambda row: row.subject.dataset,
    "metric": metric,
    "level": level,
    "claimant": lambda row: row.subject.claimant,
    "obstacle": lambda row: row.verdict.obstacle or "",
}


def render_html(
    rows: list[Row], settings: Rules | None = None, docs: Docs | None = None, remark: str = ""
) -> str:
    """The page as text. Everything is inline: no network, no fonts, no timestamps.

    Args:
        rows: from `build_rows`.
        settings: printed in the footer (default: `params/verdict.yaml`).
        docs: where protocols and verdicts are described, seen from the page.
        remark: a sentence below the headline.

    Raises:
        SegmodelsError: the table library is not installed.
    """
    rows = first_to_last(rows)
    span = common_span(rows)
    settings = settings or load_rules()
    sections = [
        *(statement_section(rows), scatter_section(rows)),
        *(gap_section(rows), robustness_section(rows)),
    ]
    return Template(asset("page.html")).substitute(
        generator=GENERATOR,
        style=asset("palette.css") + asset("page.css"),
        headline=headline(rows),
        remark=f'\n<p class="headline">{escape(remark)}</p>' if remark else "",
        counters=_counters(rows),
        filters="".join(_filter(name, rows) for name in _FILTERS),
        board=_board(rows, span, settings) if rows else '<p class="note">Nothing yet.</p>',
        sections="\n".join(sections),
        jumps=_jumps(sections),
        reading=how_to_read(settings),
        about=about(settings, docs),
        data=table_data(rows, span, docs) if rows else "null",
        library=table_library() if rows else "",
        script=inline(asset("page.js")) if rows else "",
    )


def _counters(rows: list[Row]) -> str:
    """One line per group of rows, with a button per verdict."""
    return "".join(
        f'<div role="group" aria-label="{GROUPS[name]}"><h2>{GROUPS[name]}</h2><ul>'
        + "".join(_counter(name, status, number) for status, number in of.items())
        + "</ul></div>"
        for name, of in counts(rows).items()
    )


def _counter(name: Group, status: Status, number: int) -> str:
    return (
        f'<li><button type="button" class="{status}" disabled aria-pressed="false" '
        f'data-group="{name}" data-status="{status}" data-total="{number}" '
        f'title="{escape(STATUSES[status])}">'
        f'<b>{number}</b><small></small> <span class="status {status}">{status}</span>'
        "</button></li>"
    )


def _jumps(sections: list[str]) -> str:
    """Links to what stands below the table."""
    heads = re.findall(r'<section id="(\w+)"><h2>([^<]+)</h2>', "".join(sections))
    links = "".join(f'<li><a href="#{place}">{title}</a></li>' for place, title in heads)
    return f'<nav aria-label="Below the table"><ul>{links}</ul></nav>' if links else ""


def _filter(name: str, rows: list[Row]) -> str:
    """A choice among the values that occur; "" when there is nothing to choose."""
    counted = Counter(filter(None, map(_FILTERS[name], rows)))
    if len(counted) < 2:
        return ""
    options = "".join(
        f'<option value="{escape(value)}">{escape(value)} ({counted[value]})</option>'
        for value in sorted(counted, key=str.lower)
    )
    return (
        f'<label>{name.capitalize()}<select data-filter="{name}">'
        f'<option value="">all</option>{options}</select></label>'
    )


def _board(rows: list[Row], span: float, settings: Rules) -> str:
    """The head of the table for the script, and without it the table of what was measured."""
    title = "Published numbers and what was measured"
    known = [
        (row, name)
        for row, name in zip(rows, page_names(rows), strict=True)
        if row.verdict.verified is not None or row.subject.source.startswith("SOTAVerified page")
    ]
    body = "\n".join(_plain_row(row, name) for row, name in known)
    heads = "".join(_head(name, span, settings) for name in COLUMNS)
    return (
        f'<table id="board" class="board" role="table" hidden>'
        f'<caption class="hidden">{title}</caption>'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead><tbody role="rowgroup"></tbody>'
        "</table>\n"
        f'<noscript><div class="scroll"><table class="plain"><caption>{title}. '
        'Rows without a number stand in <a href="leaderboard.md">leaderboard.md</a>.</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table></div></noscript>"
    )


def _head(name: str, span: float, settings: Rules) -> str:
    kind = ' class="num"' if name in _NUMBERS else ""
    more = f" {settings.interval.confidence:.0%}, \u00b1{span:g}" if name == "Interval" else ""
    return f'<th scope="col" role="columnheader"{kind}>{name}{more}</th>'


def _plain_row(row: Row, name: str) -> str:
    below = f"<small>{escape(below_status(row))}</small>" if below_status(row) else ""
    cells = [
        f"{escape(row.subject.dataset)}<small>{escape(row.subject.split)}</small>",
        f'<a href="claims/{escape(name)}.html">{escape(row.subject.model)}</a>'
        f"<small>{escape(paper(row))}</small>",
        escape(f"{metric(row)} {row.subject.corruption}"),
        number(row.subject.claimed, row.subject.decimals),
        number(row.verdict.verified, digits(row)),
        signed(row.verdict.gap, digits(row)),
        bounds(row),
        status(row) + below,
        escape(level(row)),
        escape(row.protocol_name or "not stated"),
        file_link(row.evidence_file or "", evidence_name(row)[:10]),
    ]
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}</tr>"
