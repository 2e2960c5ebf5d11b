"""The page of one row: verdict, numbers, classes, picture, provenance, command, badge."""

from __future__ import annotations

from html import escape
from string import Template

from segmodels.leaderboard.badge import badge_words
from segmodels.leaderboard.charts.bars import class_bars, common_span, interval_bar
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.findings import finding_list, summary
from segmodels.leaderboard.markup import (
    GENERATOR,
    LEVELS,
    UP,
    asset,
    below_status,
    bounds,
    digits,
    facts,
    is_file,
    link,
    meaning,
    metric,
    number,
    paper,
    prose,
    signed,
    status,
)
from segmodels.leaderboard.provenance import printed, provenance
from segmodels.leaderboard.todo import tells_everything, todo_list
from segmodels.verdicts.row import Row

_NO_PICTURE = (
    "<p>The picture is made by <code>dvc repro</code> or fetched by <code>dvc pull</code>; "
    "it is not kept in git.</p>"
)


def render_claim(row: Row, name: str, neighbours: dict[str, Row], docs: Docs | None = None) -> str:
    """One page as text.

    Args:
        row: the row.
        name: file name of the page without ending.
        neighbours: rows this one names or shares its checkpoint with, by the name of their page.
        docs: where protocols and verdicts are described, seen from the page.
    """
    about = (
        f"{row.subject.dataset} {row.subject.split}, {metric(row)}"
        if row.subject.dataset
        else metric(row)
    )
    parts = [
        _verdict(row, docs),
        _disputes(row),
        _parts(row),
        _command(row),
        _picture(row),
        _classes(row),
        _facts("Printed in", printed(row, neighbours)),
        _facts("Provenance", provenance(row, docs)),
        _neighbours(row, neighbours),
        _badge(row, name),
    ]
    return Template(asset("claim.html")).substitute(
        generator=GENERATOR,
        title=escape(f"{row.subject.model}, {about}: {row.verdict.status}"),
        model=escape(row.subject.model),
        about=escape(f"{about} \u00b7 {paper(row)}" if paper(row) else about),
        body="\n".join(part for part in parts if part),
    )


def style_sheet() -> str:
    """`claims/style.css`: what all these pages share."""
    return f"/* {GENERATOR} */\n{asset('palette.css')}{asset('claim.css')}"


def script() -> str:
    """`claims/page.js`: the copy buttons."""
    return f"// {GENERATOR}\n{asset('claim.js')}"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _facts(title: str, items: list[tuple[str, str]]) -> str:
    return _section(title, facts(items)) if any(value for _, value in items) else ""


def _verdict(row: Row, docs: Docs | None) -> str:
    unit = f" {row.subject.unit}" if row.subject.unit and row.subject.unit != "%" else ""
    seeds = ", ".join(number(seed, digits(row)) for seed in row.verdict.seeds)
    tolerance = "" if row.verdict.tolerance is None else f"{row.verdict.tolerance:.3g}"
    found = "Measured" if row.subject.claimed is None else "Verified"
    numbers = [
        (
            "Claimed",
            ""
            if row.subject.claimed is None
            else number(row.subject.claimed, row.subject.decimals) + unit,
        ),
        (
            found,
            ""
            if row.verdict.verified is None
            else number(row.verdict.verified, digits(row)) + unit,
        ),
        ("Gap", "" if row.verdict.gap is None else signed(row.verdict.gap, digits(row))),
        ("Interval", "" if row.verdict.interval is None else bounds(row)),
        ("Mean over seeds", _seeds(row)),
        ("Tolerance", tolerance),
        ("Level", _level(row, docs)),
        ("Seeds", seeds),
    ]
    cells = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in numbers if v)
    more = f' <span class="soft">{escape(below_status(row))}</span>' if below_status(row) else ""
    words = docs.verdict() if docs else ""
    all_words = f' <a href="{escape(words)}">All verdicts</a>.' if words else ""
    return (
        f'<section class="verdict"><h2>{status(row)}{more}</h2>'
        f'<p class="soft">That is: {escape(meaning(row))}.{all_words}</p>{_reason(row)}'
        f'<dl class="numbers">{cells}</dl>{_bar(row)}</section>'
    )


def _seeds(row: Row) -> str:
    """Where the mean over seeds lies on these images; it decides the verdict, images do not."""
    if row.verdict.seed_interval is None:
        return ""
    low, high = (number(end, digits(row)) for end in row.verdict.seed_interval)
    return f"{low}\u2013{high}"


def _level(row: Row, docs: Docs | None) -> str:
    """Linked to what it means, and with the meaning as a title for where the link leads nowhere."""
    text = escape(row.verdict.level or "")
    means = next((m for word, m in LEVELS.items() if text.startswith(word)), "")
    address = docs.verdict("the-level") if docs and means else ""
    if address:
        return f'<a href="{escape(address)}" title="{means}">{text}</a>'
    return f'<span title="{means}">{text}</span>' if means else text


def _reason(row: Row) -> str:
    """The reason, unless a list on this page says the same."""
    return (
        "" if row.verdict.parts or tells_everything(row) else f"<p>{escape(row.verdict.reason)}</p>"
    )


def _parts(row: Row) -> str:
    """The parts of a statement, or what would unblock a claim."""
    if row.verdict.parts:
        return _section(f"Part by part: {summary(row)}", finding_list(row))
    todo = todo_list(row)
    return _section("What is missing, and how to get it", todo) if todo else ""


def _disputes(row: Row) -> str:
    """Objections to the row with what came of them, the newest first."""
    if not row.subject.disputed:
        return ""
    items = "".join(
        f"<li>{escape(one.date)}, {link(one.url, one.by)}: {prose(one.text)}"
        f"<br><b>Answer:</b> {prose(one.answer) or 'none yet'}</li>"
        for one in sorted(row.subject.disputed, key=lambda one: one.date, reverse=True)
    )
    return _section("Objections", f"<ul>{items}</ul>")


def _bar(row: Row) -> str:
    span = common_span([row])
    bar = interval_bar(row, span)
    if not bar:
        return ""
    middle = (
        "the claimed number (tick)" if row.subject.claimed is not None else "the measured number"
    )
    points = "1 point" if span == 1 else f"{span:g} points"
    return (
        f"<figure>{bar}<figcaption>{points} to either side of {middle}; the dot is what "
        f"was measured, the bar its interval over {escape(row.verdict.over or 'images')}."
        "</figcaption></figure>"
    )


def _command(row: Row) -> str:
    if not row.command:
        return ""
    return _section("Check it yourself", _copied(row.command, "command"))


def _copied(text: str, what: str) -> str:
    return (
        f'<div class="copy"><pre tabindex="0" aria-label="{what}"><code>{escape(text)}</code></pre>'
        '<button type="button" hidden>Copy</button></div>'
    )


def _picture(row: Row) -> str:
    """The picture over a sentence, which is left when the picture does not load.

    Needs no script. The name is no `alt`, which a browser would draw over the sentence.
    """
    if not row.figure or not is_file(row.figure) or not row.figure.endswith(".png"):
        return ""
    alt = (
        f"Image, ground truth, prediction and error of {row.subject.model} on {row.subject.dataset}"
    )
    return _section(
        "Image, truth, prediction, error",
        f'<figure class="picture">{_NO_PICTURE}<img loading="lazy" alt="" '
        f'aria-label="{escape(alt)}" src="{escape(UP + row.figure)}"></figure>',
    )


def _classes(row: Row) -> str:
    if not row.evidence or not row.evidence.per_class:
        return ""
    return _section("IoU per class, %", class_bars(row.evidence.per_class))


def _neighbours(row: Row, neighbours: dict[str, Row]) -> str:
    same = {
        name: other
        for name, other in neighbours.items()
        if name not in row.subject.conflicts and other.weights.sha256 == row.weights.sha256
    }
    items = "".join(
        f'<li><a href="{escape(name)}.html">{escape(other.protocol_name or name)}</a> '
        f"{number(other.verdict.verified, digits(other))} {status(other)}</li>"
        for name, other in same.items()
    )
    return _section("The same checkpoint, counted otherwise", f"<ul>{items}</ul>") if items else ""


def _badge(row: Row, name: str) -> str:
    words = " ".join(badge_words(row))
    name = escape(name)
    snippet = f"[![{words}](reports/claims/{name}.svg)](reports/claims/{name}.html)"
    return _section(
        "Badge",
        f'<p><img src="{name}.svg" height="20" alt="{escape(words)}"></p>'
        f"{_copied(snippet, 'Markdown')}",
    )
