"""Numbers as the leaderboard has them: known, and with four decimals."""

from __future__ import annotations

import math

from segmodels.metrics.intervals import Interval


def rounded(value: float | None) -> float | None:
    """Four decimals; None for NaN, which JSON cannot hold."""
    return None if value is None or math.isnan(value) else round(value, 4)


def rounded_interval(interval: Interval | None) -> Interval | None:
    """Both ends with four decimals."""
    return interval and (round(interval[0], 4), round(interval[1], 4))


def known_interval(interval: Interval) -> Interval | None:
    """An interval; None where an end is NaN."""
    return None if any(map(math.isnan, interval)) else interval
