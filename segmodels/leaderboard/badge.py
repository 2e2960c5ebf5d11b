"""A badge of a row: what is claimed and what came of it, as a small SVG."""

from __future__ import annotations

from html import escape

from segmodels.leaderboard.markup import GENERATOR, digits, disputed, number, side
from segmodels.verdicts.row import Row

#: White text stands on each with a contrast of at least 4.5.
_COLOURS = {
    "verified": "#1b7047",
    "better": "#12697a",
    "below": "#ad3a2a",
    "inconclusive": "#6a5d1d",
    "partial": "#8a5a00",
    "stale": "#74499b",
    "measured": "#3a5c85",
}
_GREY = "#5c646c"
#: Pixels per letter and beside a text. The length of a text is fixed, whatever font draws it.
_LETTER, _SIDE = 6.4, 7


def badge_words(row: Row) -> tuple[str, str]:
    """Left and right text: ("mIoU 55.64", "verified"); an objection is said, too."""
    name = "mIoU-C" if row.subject.metric == "mIoU-c" else row.subject.metric
    left = (
        name
        if row.subject.claimed is None
        else f"{name} {number(row.subject.claimed, row.subject.decimals)}"
    )
    said = f", {disputed(row)}" if row.subject.disputed else ""
    if row.verdict.verified is None or row.verdict.status == "verified":
        return left, row.verdict.status + said
    word = side(row).partition(" ")[0] or row.verdict.status
    return left, f"{word} {number(row.verdict.verified, digits(row))}{said}"


def render_badge(row: Row) -> str:
    """The SVG. It asks for no font and is the same bytes for the same row."""
    left, right = badge_words(row)
    widths = [len(text) * _LETTER + 2 * _SIDE for text in (left, right)]
    whole = sum(widths)
    about = f" on {row.subject.dataset} {row.subject.split}" if row.subject.dataset else ""
    title = escape(f"segmodels: {row.subject.model}{about}, {left}: {right}")
    plain = side(row) or row.subject.disputed  # neither a success nor a failure
    colour = _GREY if plain else _COLOURS.get(row.verdict.status, _GREY)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole:.0f}" height="20" '
        f'viewBox="0 0 {whole:.1f} 20" role="img" aria-labelledby="t"><title id="t">{title}</title>'
        f"<desc>{GENERATOR}</desc>"
        f'<rect width="{whole:.1f}" height="20" rx="3" fill="#33383d"/>'
        f'<path fill="{colour}" d="M{widths[0]:.1f} 0H{whole - 3:.1f}'
        f'a3 3 0 0 1 3 3V17a3 3 0 0 1-3 3H{widths[0]:.1f}z"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(left, _SIDE)}{_text(right, widths[0] + _SIDE)}</g></svg>\n"
    )


def _text(text: str, left: float) -> str:
    return (
        f'<text x="{left:.1f}" y="14" textLength="{len(text) * _LETTER:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )
