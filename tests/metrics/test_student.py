"""Quantiles of Student's t against printed tables."""

from __future__ import annotations

import pytest

from segmodels.metrics.student import t_quantile


@pytest.mark.parametrize(
    ("confidence", "freedom", "expected"),
    [
        (0.95, 1, 12.7062047),
        (0.95, 2, 4.30265273),
        (0.95, 3, 3.18244631),
        (0.95, 12, 2.17881283),
        (0.95, 199, 1.97195654),
        (0.95, 200, 1.97189622),
        (0.95, 1000, 1.96233908),
        (0.95, 10**9, 1.95996398),
        (0.99, 3, 5.84090931),
        (0.90, 7, 1.89457860),
    ],
)
def test_quantiles_of_tables(confidence: float, freedom: int, expected: float) -> None:
    assert t_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-8)


def test_the_expansion_goes_on_where_the_series_ends() -> None:
    widths = [t_quantile(0.995, freedom) for freedom in range(190, 210)]
    assert widths == sorted(widths, reverse=True)
