"""Tables of mIoU under corruptions as papers print them, as heat maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from segmodels.leaderboard.charts.heat import HeatLine, HeatMap
from segmodels.verdicts.row import Row


def printed_corruptions(rows: Iterable[Row]) -> list[HeatMap]:
    """The claims about one corruption each, by where they are printed; best networks first."""
    tables: dict[str, dict[str, dict[str, float]]]
    tables = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        claim = row.subject.claim
        if claim and claim.corruption:
            title = f"{claim.dataset} {claim.split}, as printed in {claim.source}"
            tables[title][claim.model][claim.corruption] = claim.value
    return [_map(title, networks) for title, networks in sorted(tables.items())]


def _map(title: str, networks: dict[str, dict[str, float]]) -> HeatMap:
    corruptions = sorted({name for values in networks.values() for name in values})
    means = {
        model: fmean(values.values()) if len(values) == len(corruptions) else None
        for model, values in networks.items()
    }
    order = sorted(networks, key=lambda model: (-(means[model] or 0), model))
    return HeatMap(
        title=title,
        networks=[(model, "") for model in order],
        places=list(range(len(order))),
        lines=[
            HeatLine(name.replace("_", " "), "", [networks[model].get(name) for model in order])
            for name in corruptions
        ],
        mean=[means[model] for model in order],
        caption="mIoU under corruptions, %",
    )
