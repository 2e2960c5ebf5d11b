"""Curves of noise on parameters as papers print them, one chart for each of their figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from segmodels.leaderboard.charts.lines import NOISE, LineChart, Series, line_chart
from segmodels.verdicts.row import Row


def printed_noise(rows: Iterable[Row]) -> list[LineChart]:
    """The claims about one level of noise each, by where they are printed and by network."""
    figures: dict[str, dict[str, dict[float, list[float]]]]
    figures = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        claim = row.subject.claim
        if claim and claim.noise is not None:
            title = f"{claim.dataset} {claim.split}, as printed in {claim.source}"
            figures[title][claim.model][claim.noise] = [claim.value]
    return [
        line_chart(
            NOISE,
            title,
            [
                Series(model, place, "", dict(sorted(values.items())))
                for place, (model, values) in enumerate(sorted(networks.items()))
            ],
        )
        for title, networks in sorted(figures.items())
    ]
