"""The page of one row: verdict, numbers, classes, picture, provenance, command, badge."""

from __future__ import annotations

from html import escape
from string import Template

from segmodels.leaderboard.badge import badge_words
from segmodels.leaderboard.bars import class_bars, common_span, interval_bar
from segmodels.leaderboard.markup import (
    GENERATOR,
    asset,
    bounds,
    digits,
    evidence_name,
    facts,
    file_link,
    is_file,
    link,
    metric,
    number,
    paper,
    signed,
    status,
)
from segmodels.leaderboard.rows import Row

_UP = "../"


def render_claim(row: Row, name: str, neighbours: dict[str, Row], docs: str = "") -> str:
    """One page as text.

    Args:
        row: the row.
        name: file name of the page without ending.
        neighbours: rows this one names or shares its checkpoint with, by the name of their page.
        docs: address of the description of its protocol; "" for none.
    """
    about = f"{row.dataset} {row.split}, {metric(row)}"
    parts = [
        _verdict(row),
        _command(row),
        _picture(row),
        _classes(row),
        _facts("Printed in", _printed(row, neighbours)),
        _facts("Provenance", _provenance(row, docs)),
        _neighbours(row, neighbours),
        _badge(row, name),
    ]
    return Template(asset("claim.html")).substitute(
        generator=GENERATOR,
        title=escape(f"{row.model}, {about}: {row.verdict}"),
        model=escape(row.model),
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


def _verdict(row: Row) -> str:
    unit = f" {row.unit}" if row.unit and row.unit != "%" else ""
    seeds = ", ".join(number(seed, digits(row)) for seed in row.seeds)
    tolerance = "" if row.tolerance is None else f"{row.tolerance:.3g}"
    found = "Measured" if row.claimed is None else "Verified"
    numbers = [
        ("Claimed", "" if row.claimed is None else number(row.claimed, row.decimals) + unit),
        (found, "" if row.verified is None else number(row.verified, digits(row)) + unit),
        ("Gap", "" if row.gap is None else signed(row.gap, digits(row))),
        ("Interval", "" if row.interval is None else bounds(row)),
        ("Tolerance", tolerance),
        ("Level", escape(row.level or "")),
        ("Seeds", seeds),
    ]
    cells = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in numbers if v)
    obstacle = f' <span class="soft">{escape(row.obstacle)}</span>' if row.obstacle else ""
    return (
        f'<section class="verdict"><h2>{status(row)}{obstacle}</h2><p>{escape(row.reason)}</p>'
        f'<dl class="numbers">{cells}</dl>{_bar(row)}</section>'
    )


def _bar(row: Row) -> str:
    span = common_span([row])
    bar = interval_bar(row, span)
    if not bar:
        return ""
    middle = "the claimed number (tick)" if row.claimed is not None else "the measured number"
    points = "1 point" if span == 1 else f"{span:g} points"
    return (
        f"<figure>{bar}<figcaption>{points} to either side of {middle}; the dot is what "
        "was measured, the bar its interval over images.</figcaption></figure>"
    )


def _command(row: Row) -> str:
    if not row.rerun:
        return ""
    return _section("Check it yourself", _copied(row.rerun, "command"))


def _copied(text: str, what: str) -> str:
    return (
        f'<div class="copy"><pre tabindex="0" aria-label="{what}"><code>{escape(text)}</code></pre>'
        '<button type="button" hidden>Copy</button></div>'
    )


def _picture(row: Row) -> str:
    if not row.figure or not is_file(row.figure):
        return ""
    alt = f"Image, ground truth, prediction and error of {row.model} on {row.dataset}"
    return _section(
        "Image, truth, prediction, error",
        f'<figure><img loading="lazy" src="{escape(_UP + row.figure)}" alt="{escape(alt)}">'
        "</figure>",
    )


def _classes(row: Row) -> str:
    return _section("IoU per class, %", class_bars(row.per_class)) if row.per_class else ""


def _printed(row: Row, neighbours: dict[str, Row]) -> list[tuple[str, str]]:
    conflicts = [_neighbour(name, neighbours) for name in row.conflicts]
    arxiv = link(f"https://arxiv.org/abs/{row.arxiv}", row.arxiv) if row.arxiv else ""
    return [
        ("Claim", file_link("", row.claim or "")),
        ("Paper", link(row.url, row.title or row.paper)),
        ("arXiv", arxiv),
        ("Source", escape(row.source)),
        ("Claimed by", escape(row.claimant)),
        ("Seen in", escape(row.seen)),
        ("Disturbed by", escape(row.corruption)),
        ("Checkpoint", link(row.checkpoint, row.checkpoint)),
        ("Note", escape(row.notes)),
        ("Printed otherwise by", ", ".join(conflicts)),
    ]


def _neighbour(name: str, neighbours: dict[str, Row]) -> str:
    if name not in neighbours:
        return escape(name)
    row = neighbours[name]
    printed = "" if row.claimed is None else f" ({number(row.claimed, row.decimals)})"
    return f'<a href="{escape(name)}.html">{escape(name)}</a>{printed}'


def _provenance(row: Row, docs: str) -> list[tuple[str, str]]:
    origin = ", ".join(f"{k} {v}" for k, v in row.weights_origin.items() if v is not None)
    images = "" if row.images is None else f"{row.images} of {row.expected_images}"
    accuracies = [
        ("Pixel accuracy", row.pixel_accuracy),
        ("Class accuracy", row.mean_accuracy),
    ]
    return [
        ("Protocol", _protocol(row, docs)),
        ("Settings", escape(_settings(row))),
        ("Protocol from", escape(row.protocol_source)),
        ("Images", images),
        *((name, f"{value:.2f} %") for name, value in accuracies if value is not None),
        ("Weights", escape(origin)),
        ("Weights sha256", file_link("", row.weights or "")),
        ("Dataset content", file_link("", row.fingerprint or "")),
        ("Counted by", "" if row.evaluator is None else f"evaluator {row.evaluator}"),
        ("Software", escape(", ".join(f"{k} {v}" for k, v in row.software.items()))),
        ("Evidence", file_link(row.evidence_file or "", evidence_name(row), _UP)),
        ("Run", file_link("", row.run or "")),
    ]


def _protocol(row: Row, docs: str) -> str:
    if not row.protocol:
        return "not stated"
    version = f" version {row.protocol_version}" if row.protocol_version else ""
    title = f", {escape(row.protocol_title)}" if row.protocol_title else ""
    name = file_link(docs, row.protocol) if docs else f"<code>{escape(row.protocol)}</code>"
    return f"{name}{version}{title}"


def _settings(row: Row) -> str:
    def shown(value: object) -> str:
        return " ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value).lower()

    whole = [] if row.protocol_fields.get("window") or not row.protocol_fields else ["whole image"]
    return ", ".join([*whole, *(f"{k} {shown(v)}" for k, v in row.protocol_fields.items() if v)])


def _neighbours(row: Row, neighbours: dict[str, Row]) -> str:
    same = {
        name: other
        for name, other in neighbours.items()
        if name not in row.conflicts and other.weights == row.weights
    }
    items = "".join(
        f'<li><a href="{escape(name)}.html">{escape(other.protocol or name)}</a> '
        f"{number(other.verified, digits(other))} {status(other)}</li>"
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
