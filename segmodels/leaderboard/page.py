"""The leaderboard as one HTML file that opens from disk, in light and dark, on a phone too."""

from __future__ import annotations

from collections import Counter
from html import escape
from importlib.resources import files

from segmodels.leaderboard.charts import class_bars, common_span, interval_bar, robustness_section
from segmodels.leaderboard.rows import Row, short_title
from segmodels.rules import Rules, load_rules
from segmodels.verdict import STATUSES
from segmodels.versions import EVALUATOR, SOFTWARE

_LEAD = (
    "Each row takes a score printed in a paper, runs the authors' weights under the protocol "
    "the score was measured with, counts pixels, and says whether the number holds."
)


def render_html(rows: list[Row], settings: Rules | None = None) -> str:
    """The page as text. Everything is inline: no network, no fonts, no timestamps.

    Args:
        rows: from `build_rows`.
        settings: printed in the footer (default: `params/verdict.yaml`).
    """
    settings = settings or load_rules()
    claims = [row for row in rows if row.claimed is not None]
    claims.sort(key=lambda row: row.verified is None)  # numbers first, in the order of the rows
    others = [row for row in rows if row.claimed is None]
    span = common_span(rows)
    body = "".join(
        [
            _header(rows),
            _results("Published numbers", _CLAIMS_INTRO, claims, span, settings),
            _results("Other measurements", _OTHERS_INTRO, others, span, settings),
            '<p class="nothing" hidden>No row fits this filter.</p>',
            robustness_section(rows),
            _footer(settings),
        ]
    )
    return _PAGE.format(style=_asset("css"), script=_asset("js"), body=body)


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Published semantic-segmentation scores, measured again.">
<title>segmodels leaderboard</title>
<style>
{style}</style>
</head>
<body>
<div class="wrap">
{body}
</div>
<script>
{script}</script>
</body>
</html>
"""
_CLAIMS_INTRO = "Claimed is what the paper prints, verified is what its weights score here."
_OTHERS_INTRO = "Protocols that no published number uses, and weights trained here."


def _asset(kind: str) -> str:
    return (files("segmodels.leaderboard") / f"page.{kind}").read_text(encoding="utf-8")


def _header(rows: list[Row]) -> str:
    counted = Counter(row.verdict for row in rows)
    buttons = "".join(
        f'<li class="{status}"><button type="button" disabled aria-pressed="false" '
        f'data-verdict="{status}"><b>{counted[status]}</b> {status}</button></li>'
        for status in STATUSES
        if counted[status]
    )
    return (
        '<header><p class="eyebrow">segmodels leaderboard</p>'
        f"<h1>Published segmentation scores, measured again</h1><p>{escape(_LEAD)}</p>"
        f'<ul class="counters" aria-label="Number of rows per verdict">{buttons}</ul>'
        '<p class="search" hidden><input type="search" aria-label="Filter rows" '
        'placeholder="Filter: model, dataset, paper, protocol"></p></header><main>'
    )


def _results(title: str, intro: str, rows: list[Row], span: float, settings: Rules) -> str:
    if not rows:
        return ""
    interval = f"{settings.bootstrap.confidence:.0%} interval, &plusmn;{span:g}"
    head = (
        '<th scope="col" role="columnheader" data-sort="model">Model and protocol</th>'
        '<th scope="col" role="columnheader" class="number" data-sort="claimed">Claimed</th>'
        '<th scope="col" role="columnheader" class="number" data-sort="verified">Verified</th>'
        '<th scope="col" role="columnheader" class="number" data-sort="gap">Gap</th>'
        f'<th scope="col" role="columnheader">{interval}</th>'
        '<th scope="col" role="columnheader" data-sort="verdict">Verdict</th>'
    )
    bodies = "".join(_body(row, span) for row in rows)
    return (
        f'<section class="results"><h2>{title}</h2><p>{intro}</p>'
        f'<table class="board" role="table"><caption>{title}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>{bodies}</table></section>'
    )


def _body(row: Row, span: float) -> str:
    """Two table rows: the numbers, then the reason with everything behind it."""
    text = " ".join([row.model, row.dataset, row.split, row.title, row.protocol, row.claim or ""])
    data = {
        "verdict": row.verdict,
        "model": row.model,
        "claimed": _plain(row.claimed),
        "verified": _plain(row.verified),
        "gap": _plain(row.gap),
        "text": text.lower(),
    }
    attributes = "".join(f' data-{key}="{escape(value)}"' for key, value in data.items())
    name = escape(row.claim or f"{row.run}-{row.protocol}")
    return (
        f'<tbody role="rowgroup" id="{name}" class="{row.verdict}"{attributes}>'
        f'<tr role="row">{_first_cell(row)}{_number_cells(row)}{_chart_cell(row, span)}'
        f"{_verdict_cell(row)}</tr>"
        f'<tr role="row" class="more"><td role="cell" colspan="6">{_details(row)}</td></tr></tbody>'
    )


def _first_cell(row: Row) -> str:
    origin = escape(short_title(row.title, row.paper) if row.paper else f"run {row.run}")
    return (
        f'<th scope="row" role="rowheader"><span class="name">{escape(row.model)}</span>'
        f'<span class="about">{escape(row.dataset)} {escape(row.split)} &middot; {origin}</span>'
        f'<span class="about">{escape(row.protocol_title or row.protocol)}</span></th>'
    )


def _number_cells(row: Row) -> str:
    claimed = "&ndash;" if row.claimed is None else f"{row.claimed:.{row.decimals}f}"
    checked = "&ndash;" if row.verified is None else f"<strong>{row.verified:.2f}</strong>"
    return (
        f'<td role="cell" class="number" data-label="Claimed">{claimed}</td>'
        f'<td role="cell" class="number" data-label="Verified">{checked}</td>'
        f'<td role="cell" class="number" data-label="Gap"><span class="gap">{_signed(row.gap)}'
        "</span></td>"
    )


def _chart_cell(row: Row, span: float) -> str:
    if row.interval is None:
        return '<td role="cell" class="chart none"></td>'
    low, high = row.interval
    bounds = f'<span class="bounds">{low:.2f} &ndash; {high:.2f}</span>'
    return f'<td role="cell" class="chart">{interval_bar(row, span)}{bounds}</td>'


def _verdict_cell(row: Row) -> str:
    level = f'<span class="level">{escape(row.level)}</span>' if row.level else ""
    return f'<td role="cell" class="state"><span class="pill">{row.verdict}</span>{level}</td>'


def _details(row: Row) -> str:
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in _facts(row) if value)
    bars = f"<h3>IoU per class</h3>{class_bars(row.per_class)}" if row.per_class else ""
    command = f"<h3>Check it yourself</h3><pre><code>{escape(row.rerun)}</code></pre>"
    return (
        f"<details><summary><span>{escape(row.reason)}</span>"
        '<span class="open">Details</span></summary>'
        f'<div class="details"><div><dl class="facts">{facts}</dl></div>'
        f"<div>{bars}{command}</div></div></details>"
    )


def _facts(row: Row) -> list[tuple[str, str]]:
    """Names and HTML values of the details; an empty value is left out."""
    fields = [f"{k} {_setting(v)}" for k, v in row.protocol_fields.items() if v]
    whole = [] if row.protocol_fields.get("window") else ["whole image"]
    origin = ", ".join(f"{k} {v}" for k, v in row.weights_origin.items() if v is not None)
    seen = "" if row.images is None else f"{row.images} of {row.expected_images}"
    return [
        ("Printed in", _link(row.url, row.source or row.title)),
        ("Paper", escape(row.title)),
        ("Note", escape(row.notes)),
        ("Protocol", f"<code>{escape(row.protocol)}</code> version {row.protocol_version}"),
        ("Settings", escape(", ".join([*whole, *fields]))),
        ("Protocol from", escape(row.protocol_source)),
        ("Tolerance", "" if row.tolerance is None else f"{row.tolerance:.3g} points"),
        ("Images", seen),
        ("Pixel accuracy", "" if row.pixel_accuracy is None else f"{row.pixel_accuracy:.2f} %"),
        ("Class accuracy", "" if row.mean_accuracy is None else f"{row.mean_accuracy:.2f} %"),
        ("Weights", escape(origin)),
        ("sha256", f"<code>{escape(row.weights)}</code>" if row.weights else ""),
        ("Dataset content", f"<code>{escape(row.fingerprint)}</code>" if row.fingerprint else ""),
        ("Counted by", "" if row.evaluator is None else f"evaluator {row.evaluator}"),
        ("Software", escape(", ".join(f"{k} {v}" for k, v in row.software.items()))),
        ("Evidence", _link(row.evidence_file or "", row.evidence or "", mono=True)),
    ]


def _setting(value: object) -> str:
    return " ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value).lower()


def _link(address: str, text: str, mono: bool = False) -> str:
    """A link to the web or to a file beside the page; nothing else becomes one."""
    shown = f"<code>{escape(text)}</code>" if mono else escape(text)
    beside = bool(address) and ":" not in address.partition("/")[0]
    if not text or not (beside or address.startswith(("https://", "http://"))):
        return shown if text else ""
    return f'<a href="{escape(address)}">{shown}</a>'


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _signed(gap: float | None) -> str:
    if gap is None:
        return "&ndash;"
    text = f"{abs(gap):.2f}"
    return text if text == "0.00" else ("+" if gap > 0 else "&minus;") + text


def _footer(settings: Rules) -> str:
    meanings = "".join(
        f'<dt class="{status}"><span class="pill">{status}</span></dt><dd>{meaning}</dd>'
        for status, meaning in STATUSES.items()
    )
    draws = settings.bootstrap
    return (
        "</main><footer><h2>How a verdict is computed</h2>"
        "<p>Every image leaves a matrix of integer counts: which class each pixel has, which it "
        "was given. IoU per class is taken over the sum of all images and averaged over the "
        "classes that occur. The gap is verified minus claimed. A number is verified when the gap "
        f"is at most {settings.released.points:g} points for released weights ({settings.retrained.points:g} "
        "for weights trained here) plus half a unit of the last printed digit.</p>"
        f"<p>The {draws.confidence:.0%} interval comes from {draws.resamples} bootstrap draws "
        "over images and tells how much another choice of images would move the number; it "
        "does not decide the verdict. In the bars the dot is the checked number, the upright "
        "tick the claimed one; all bars share one scale, and an arrow marks a value beyond "
        f"it.</p><dl>{meanings}</dl>"
        '<p>The same table: <a href="leaderboard.md">Markdown</a>, '
        '<a href="leaderboard.json">JSON</a>. Written by <code>segmodels leaderboard</code> '
        f"{SOFTWARE} from evidence alone (evaluator {EVALUATOR}, rules {settings.version})."
        "</p></footer>"
    )
