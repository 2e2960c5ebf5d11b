"""Numbers as the leaderboard keeps them: four decimals."""

from __future__ import annotations

import math

from segmodels.metrics.intervals import Interval


def rounded(value: float | None) -> float | None:
    """Four decimals; None for NaN, which JSON cannot hold."""
    return None if value is None or math.isnan(value) else round(value, 4)


def rounded_interval(interval: Interval | None) -> Interval | None:
    """Both ends with four decimals."""
    return interval and (round(interval[0], 4), round(interval[1], 4))
