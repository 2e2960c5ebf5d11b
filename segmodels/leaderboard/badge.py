"""A badge of a row: what is claimed and what came of it, as a small SVG."""

from __future__ import annotations

from segmodels.leaderboard.templating import render
from segmodels.leaderboard.words import digits, disputed, number, side
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
    """Left and right text: ("mIoU 55.64", "verified"); an objection follows the verdict."""
    name = {"mIoU-c": "mIoU-C", "mIoU-n": "mIoU-N"}.get(row.subject.metric, row.subject.metric)
    left = (
        name
        if row.subject.claimed is None
        else f"{name} {number(row.subject.claimed, row.subject.decimals)}"
    )
    objection = f", {disputed(row)}" if row.subject.disputed else ""
    if row.verdict.verified is None or row.verdict.status == "verified":
        return left, row.verdict.status + objection
    word = side(row).partition(" ")[0] or row.verdict.status
    return left, f"{word} {number(row.verdict.verified, digits(row))}{objection}"


def render_badge(row: Row) -> str:
    """The SVG. It asks for no font and is the same bytes for the same row."""
    left, right = badge_words(row)
    lengths = [len(text) * _LETTER for text in (left, right)]
    middle = lengths[0] + 2 * _SIDE
    subject = row.subject
    about = f" on {subject.dataset} {subject.split}" if subject.dataset else ""
    plain = side(row) or subject.disputed  # neither a success nor a failure
    return render(
        "badge.svg",
        title=f"segmodels: {subject.model}{about}, {left}: {right}",
        colour=_GREY if plain else _COLOURS.get(row.verdict.status, _GREY),
        width=middle + lengths[1] + 2 * _SIDE,
        middle=middle,
        texts=[(left, _SIDE, lengths[0]), (right, middle + _SIDE, lengths[1])],
    )
