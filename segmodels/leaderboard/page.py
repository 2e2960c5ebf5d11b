"""The leaderboard as one HTML file that opens from disk, in light and dark, on a phone too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from segmodels.leaderboard.asset import asset, styles
from segmodels.leaderboard.blocked import folds
from segmodels.leaderboard.charts.bars import common_span
from segmodels.leaderboard.charts.curves import robustness_section
from segmodels.leaderboard.charts.gaps import gap_section
from segmodels.leaderboard.charts.scatter import scatter_section
from segmodels.leaderboard.datatables import inline, table_library
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.headline import GROUPS, counts, headline
from segmodels.leaderboard.links import page_names
from segmodels.leaderboard.paper_section import paper_section
from segmodels.leaderboard.policy import inline_policy
from segmodels.leaderboard.statement_section import statement_section
from segmodels.leaderboard.table_data import first_to_last, part, table_data
from segmodels.leaderboard.templating import render
from segmodels.leaderboard.words import level, metric, paper
from segmodels.verdicts.row import Row
from segmodels.verdicts.rules import Rules, load_rules
from segmodels.versions import EVALUATOR, SOFTWARE

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
#: What stands below the table: place, title, and what makes it.
_SECTIONS: tuple[tuple[str, str, Callable[[list[Row]], str]], ...] = (
    ("papers", "Paper by paper", paper_section),
    ("statements", "Statements that compare models", statement_section),
    ("scatter", "Claimed against verified", scatter_section),
    ("protocols", "What the protocol does to a number", gap_section),
    ("robustness", "Robustness", robustness_section),
)


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
    rules = settings or load_rules()
    blocked = [
        (row, name)
        for row, name in zip(rows, page_names(rows), strict=True)
        if row.verdict.status == "blocked"
    ]
    sections = [(place, title, body) for place, title, make in _SECTIONS if (body := make(rows))]
    style = styles("palette.css", "charts.css", "page.css")
    library = table_library() if rows else ""
    script = inline(asset("page.js")) if rows else ""
    return render(
        "page.html",
        policy=inline_policy([style], [library, script]),
        style=style,
        headline=headline(rows),
        remark=remark,
        counters=[(name, GROUPS[name], numbers) for name, numbers in counts(rows).items()],
        filters={name: values for name in _FILTERS if (values := _values(name, rows))},
        columns=_columns(span, rules) if rows else [],
        measured=_measured(rows),
        folded=folds(blocked),
        waiting=len(blocked),
        sections=sections,
        rules=rules,
        verdicts_page=docs.verdict() if docs else "",
        sheet=docs.corruptions if docs else "",
        software=SOFTWARE,
        evaluator=EVALUATOR,
        data=table_data(rows, span, docs) if rows else "null",
        library=library,
        script=script,
    )


def _values(name: str, rows: list[Row]) -> list[tuple[str, int]]:
    """The values of a filter, each with its rows; none when there is nothing to choose."""
    counted = Counter(filter(None, map(_FILTERS[name], rows)))
    return sorted(counted.items(), key=lambda item: item[0].lower()) if len(counted) > 1 else []


def _columns(span: float, rules: Rules) -> list[tuple[str, bool, str]]:
    """Names of the columns, whether they hold numbers, and what more their heads say."""
    scale = f" {rules.interval.confidence:.0%}, \u00b1{span:g}"
    return [(name, name in _NUMBERS, scale if name == "Interval" else "") for name in COLUMNS]


def _measured(rows: list[Row]) -> list[tuple[Row, str]]:
    """Rows that are seen without a script: scores, and the claims that SOTAVerified lists.

    Each with the name of its page.
    """
    named = zip(rows, page_names(rows), strict=True)
    return [(row, name) for row, name in named if part(row) in ("featured", "scores", "own")]
