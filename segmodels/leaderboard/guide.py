"""What a reader must know: five lines in front of the table, and the rules below it."""

from __future__ import annotations

from html import escape

from segmodels.leaderboard.docs import Docs
from segmodels.verdicts.rules import Rules
from segmodels.verdicts.verdict import STATUSES
from segmodels.versions import EVALUATOR, SOFTWARE


def how_to_read(settings: Rules) -> str:
    """Five lines for somebody who sees the table for the first time."""
    allowed = settings.tolerance
    lines = [
        "<b>Claimed</b> is the number a source prints, <b>verified</b> what was counted here, "
        "<b>gap</b> the second minus the first. The link in <b>Model</b> leads to everything "
        "behind a row.",
        f"{_word('verified')}: the gap is within the rounding of the print plus "
        f"{allowed.released.points:g} points for released weights, which decoders can move. "
        f"{_word('better')} and {_word('below')}: it is not. For parameters and operations these "
        "two say only that more or fewer were counted than printed. For weights trained again the "
        f"mean over seeds must be known to lie within {allowed.retrained.points:g} points, and it "
        f"is {_word('inconclusive')} where they cannot tell.",
        "<b>Level</b> says whose weights were run: <i>released weights</i> are the file its "
        "authors gave out, <i>retrained</i> ones were trained here, <i>counted</i> needs none.",
        f"{_word('blocked')}: weights, images or the way of measuring cannot be had by "
        "everybody. The number may well be right; its page says what is missing and how to "
        "get it.",
        "<b>Protocol</b> is the way of measuring: size, windows, scales, flip, which pixels "
        "count. The same weights give other numbers under other protocols, so each number is "
        "judged under its own.",
    ]
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def _word(name: str, docs: Docs | None = None) -> str:
    word = f'<span class="status {name}">{name}</span>'
    address = docs.verdict() if docs else ""
    return f'<a href="{escape(address)}">{word}</a>' if address else word


def about(settings: Rules, docs: Docs | None) -> str:
    """How verdicts and intervals come about, every verdict, and what wrote the page."""
    meanings = "".join(
        f"<dt>{_word(name, docs)}</dt><dd>{escape(meaning)}</dd>"
        for name, meaning in STATUSES.items()
    )
    return (
        "<p>Every image leaves a matrix of integer counts: which class each pixel has, which it "
        "was given. IoU per class is taken over the sum of all images and averaged over the "
        "classes that occur. The gap is verified minus claimed. A number is verified when the gap "
        "is within the tolerance, which half a unit of the last printed digit is part of; the page "
        "of each row names it.</p>"
        f"<p>The {settings.interval.confidence:.0%} interval tells how much other images of this "
        "kind would move the number. Images are left out in turn: one by one, or a block of "
        "neighbours at a time where they are frames of a drive. The page of each row says which. "
        "For released weights it does not decide the verdict. In the bars the dot is the verified "
        "number, the upright tick the claimed one; all bars share one scale, and a dot at the "
        "very end lies beyond "
        f"it.</p><dl>{meanings}</dl>"
        '<p>The same table: <a href="leaderboard.md">Markdown</a>, '
        '<a href="leaderboard.json">JSON</a>. Written by <code>segmodels leaderboard</code> '
        f"{SOFTWARE} from evidence alone (evaluator {EVALUATOR}, rules {settings.version}).</p>"
    )
