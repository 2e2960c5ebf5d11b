"""The page of one row: verdict, numbers, classes, picture, provenance, command, badge."""

from __future__ import annotations

from segmodels.leaderboard.asset import asset, styles
from segmodels.leaderboard.badge import badge_words
from segmodels.leaderboard.charts.bars import best_first, common_span, interval_bar
from segmodels.leaderboard.charts.curves import curve_tables
from segmodels.leaderboard.charts.networks import SameImages
from segmodels.leaderboard.charts.robustness_pictures import own_pictures, robustness_pictures
from segmodels.leaderboard.compared import NOTHING, Compared
from segmodels.leaderboard.docs import Docs
from segmodels.leaderboard.facts import Facts, printed, provenance, recounted
from segmodels.leaderboard.templating import render
from segmodels.leaderboard.words import (
    GENERATOR,
    LEVELS,
    bounds,
    digits,
    metric,
    number,
    signed,
)
from segmodels.metrics.averages import AVERAGES
from segmodels.verdicts.row import Row


def render_claim(
    row: Row,
    name: str,
    neighbours: dict[str, Row],
    docs: Docs | None = None,
    compared: Compared = NOTHING,
    beside: SameImages | None = None,
) -> str:
    """One page as text.

    Args:
        row: the row.
        name: file name of the page without ending.
        neighbours: rows this one names or shares its checkpoint with, by the name of their page.
        docs: where protocols and verdicts are described, seen from the page.
        compared: what a statement compares.
        beside: the networks that were disturbed on the same images, this one among them.
    """
    where = f"{row.subject.dataset} {row.subject.split}, " if row.subject.dataset else ""
    badge = " ".join(badge_words(row))
    span = common_span([row])
    return render(
        "claim.html",
        row=row,
        name=name,
        about=f"{where}{metric(row)}",
        numbers=_numbers(row),
        level_meaning=_level_meaning(row),
        level_page=docs.verdict("the-level") if docs and _level_meaning(row) else "",
        verdicts_page=docs.verdict() if docs else "",
        bar=interval_bar(row, span),
        reach="1 point" if span == 1 else f"{span:g} points",
        classes=best_first(row.evidence.per_class) if row.evidence else [],
        averages=_averages(row),
        draws=_draws(row),
        same_checkpoint=_same_checkpoint(row, neighbours),
        sheet=docs.corruptions if docs and _is_corrupted(row, compared) else "",
        pictures=robustness_pictures(compared.rows, compared.kinds)
        + own_pictures(row, beside)
        + curve_tables([row]),
        recounts=recounted(row),
        facts=_facts(row, neighbours, docs),
        badge=badge,
        snippet=f"[![{badge}](reports/claims/{name}.svg)](reports/claims/{name}.html)",
    )


def _is_corrupted(row: Row, compared: Compared) -> bool:
    found = row.robustness.curves if row.robustness else ()
    return "corruption" in (*compared.kinds, *(curve.kind for curve in found))


def _averages(row: Row) -> list[tuple[str, str, str]]:
    """The same counts averaged in other ways: name, number and meaning of each that is known."""
    found = row.evidence.averages if row.evidence else {}
    return [
        (average.name, number(value, digits(row)), average.meaning)
        for average in AVERAGES
        if (value := found.get(average.name)) is not None
    ]


def _draws(row: Row) -> str:
    """What drawing images with replacement makes of a number, in sentences; "" elsewhere."""
    found = row.evidence.draws if row.evidence else None
    if found is None:
        return ""
    text = (
        f"The source draws {found.drawn} images with replacement, without a seed. Of "
        f"{found.repeats} such draws half lie below {found.middle:.2f} and 95 % between "
        f"{found.low:.2f} and {found.high:.2f}; every image once gives {row.verdict.verified:.2f}."
    )
    claimed = row.subject.claimed
    if claimed is None:
        return text
    inside = found.low <= claimed <= found.high
    return f"{text} The printed {claimed:g} lies {'inside' if inside else 'outside'} that range."


def style_sheet() -> str:
    """`claims/style.css`: what all these pages share."""
    return f"/* {GENERATOR} */\n{styles('palette.css', 'charts.css', 'claim.css')}"


def script() -> str:
    """`claims/page.js`: the copy buttons."""
    return f"// {GENERATOR}\n{asset('claim.js')}"


def _facts(row: Row, neighbours: dict[str, Row], docs: Docs | None) -> list[tuple[str, Facts]]:
    """Sections of facts that are known, by their titles."""
    sections = [("Printed in", printed(row, neighbours)), ("Provenance", provenance(row, docs))]
    known = [(title, [(k, v) for k, v in facts if v]) for title, facts in sections]
    return [(title, facts) for title, facts in known if facts]


def _numbers(row: Row) -> list[tuple[str, str]]:
    """The numbers of the verdict by their names; those that are not known are left out."""
    subject, verdict, places = row.subject, row.verdict, digits(row)
    unit = f" {subject.unit}" if subject.unit and subject.unit != "%" else ""
    known = [
        ("Claimed", f"{subject.claim.printed}{unit}" if subject.claim else ""),
        ("Verified" if subject.claim else "Measured", _number(verdict.verified, places, unit)),
        ("Gap", "" if verdict.gap is None else signed(verdict.gap, places)),
        ("Interval", "" if verdict.interval is None else bounds(row)),
        ("Mean over seeds", _seeds(row)),
        ("Tolerance", "" if verdict.tolerance is None else f"{verdict.tolerance:.3g}"),
        ("Level", verdict.level or ""),
        ("Seeds", ", ".join(number(seed, places) for seed in verdict.seeds)),
    ]
    return [(name, text) for name, text in known if text]


def _number(value: float | None, places: int, unit: str) -> str:
    return "" if value is None else number(value, places) + unit


def _seeds(row: Row) -> str:
    """Where the mean over seeds lies on these images; it decides the verdict, images do not."""
    if row.verdict.seed_interval is None:
        return ""
    low, high = (number(end, digits(row)) for end in row.verdict.seed_interval)
    return f"{low}\u2013{high}"


def _level_meaning(row: Row) -> str:
    level = row.verdict.level or ""
    return next((means for word, means in LEVELS.items() if level.startswith(word)), "")


def _same_checkpoint(row: Row, neighbours: dict[str, Row]) -> list[tuple[str, Row]]:
    return [
        (name, other)
        for name, other in neighbours.items()
        if name not in row.subject.conflicts and other.weights.sha256 == row.weights.sha256
    ]
