"""Whether trainings come to the printed number: an equivalence test over seeds.

Printed and measured number are of the same images, so which images those are plays no part. What
is left is chance in training, and it comes in twice:

- the recipe's own number is the mean over seeds, known up to `t s / sqrt(n)`;
- what was printed is one training, and one more of ours would lie within `t s sqrt(1 + 1/n)`.

`verified` asks the first to lie within the margin, so that ignorance verifies nothing; `better` and
`below` ask the second to lie beyond it, so that the luck of one printed training accuses nobody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Literal

from segmodels.metrics.student import t_quantile

Position = Literal["within", "above", "beneath", "undecided"]

#: More seeds than anybody trains: beyond that it is said that they would be too many.
_MANY_SEEDS = 100


@dataclass(frozen=True)
class Equivalence:
    """What trainings say about a printed number, in its unit.

    Attributes:
        side: where the recipe's number lies; `undecided` when they cannot tell.
        seeds: how many there are.
        value: their mean.
        gap: the mean minus the printed number.
        margin: how far the recipe's number may lie from it.
        confidence: 0..1, of both intervals.
        mean: half width of the interval of the mean over seeds; NaN for a single one.
        single: half width of the interval of one more training; NaN for a single one.
        enough: about how many seeds would decide, if mean and spread stay as they are.
            None: more than anybody trains.
        few: fewer than are needed before anything is said; `enough` is then that number.
        hopeless: no number of seeds would: the mean lies beyond the margin, but no further than
            single trainings lie from their mean.
    """

    side: Position
    seeds: int
    value: float
    gap: float
    margin: float
    confidence: float
    mean: float
    single: float
    enough: int | None
    few: bool = False
    hopeless: bool = False


def compare_seeds(
    values: Sequence[float], printed: float, margin: float, confidence: float, seeds: int
) -> Equivalence:
    """Compare trainings that differ by their seed alone with a printed number.

    Args:
        values: one measured number per seed.
        printed: what the source prints.
        margin: how far the recipe's number may lie from it.
        confidence: 0..1, of both intervals.
        seeds: how many are needed before anything is said.
    """
    number, value = len(values), fmean(values)
    known = number, value, value - printed, margin, confidence
    if number < 2:
        return Equivalence("undecided", *known, math.nan, math.nan, seeds, few=True)
    spread, gap = stdev(values), value - printed
    widths = _half_widths(spread, number, confidence)
    if number < seeds:
        return Equivalence("undecided", *known, *widths, seeds, few=True)
    side = _side(gap, *widths, margin)
    if side != "undecided":
        return Equivalence(side, *known, *widths, number)
    luck = NormalDist().inv_cdf((1 + confidence) / 2) * spread
    if margin <= abs(gap) <= margin + luck:
        return Equivalence(side, *known, *widths, None, hopeless=True)
    enough = _enough(gap, spread, margin, confidence, number + 1)
    return Equivalence(side, *known, *widths, enough)


def sentence(found: Equivalence) -> str:
    """What trainings say, for people; where they decide nothing, what would."""
    if found.side == "undecided":
        return f"{_undecided(found)} {_what_would(found)}"
    if found.side == "within":
        return f"{_mean(found)} lies within {found.margin:.3g} points of the printed number."
    ends = f"{found.value - found.single:.2f} to {found.value + found.single:.2f}"
    side = "above" if found.gap > 0 else "below"
    return (
        f"{abs(found.gap):.2f} points {side} the printed number: {found.confidence:.0%} of single "
        f"trainings come to {ends}, which is beyond the {found.margin:.3g} points tolerated."
    )


def _mean(found: Equivalence) -> str:
    known = f"{found.value:.2f} \u00b1 {found.mean:.2f} ({found.confidence:.0%} interval)"
    return f"The mean of {found.seeds} seeds, {known},"


def _undecided(found: Equivalence) -> str:
    if found.seeds == 1:
        return (
            f"One training came to {abs(found.gap):.2f} points from the printed number; how far "
            "another would lie from it is not known."
        )
    return (
        f"{_mean(found)} may lie within {found.margin:.3g} points of the printed number or beyond; "
        f"single trainings differ from it by up to {found.single:.2f}."
    )


def _what_would(found: Equivalence) -> str:
    """Never more images: both numbers are of the same ones."""
    if found.few:
        return f"At least {found.enough} seeds are needed."
    if found.hopeless:
        return "No number of seeds would decide: the one that was printed may lie so far off."
    if found.enough is None:
        return f"More than {_MANY_SEEDS} seeds would be needed."
    return f"About {found.enough} seeds would decide, if mean and spread stay as they are."


def _half_widths(spread: float, seeds: int, confidence: float) -> tuple[float, float]:
    t = t_quantile(confidence, seeds - 1)
    return t * spread / math.sqrt(seeds), t * spread * math.sqrt(1 + 1 / seeds)


def _side(gap: float, mean: float, single: float, margin: float) -> Position:
    if abs(gap) + mean <= margin + 1e-9:  # 52.9 - 52.8 is a little more than 0.1 in binary
        return "within"
    if abs(gap) - single > margin + 1e-9:
        return "above" if gap > 0 else "beneath"
    return "undecided"


def _enough(gap: float, spread: float, margin: float, confidence: float, least: int) -> int | None:
    for seeds in range(least, _MANY_SEEDS + 1):
        if _side(gap, *_half_widths(spread, seeds, confidence), margin) != "undecided":
            return seeds
    return None
