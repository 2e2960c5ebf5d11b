"""Heat map of networks and corruptions: the share of the clean mIoU that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from segmodels.leaderboard.charts.networks import Network, SameImages, common_levels, mean_kept

_KIND = "corruption"


@dataclass(frozen=True)
class HeatLine:
    """One corruption.

    Attributes:
        name: of it.
        levels: severities that all compared runs have, as text.
        kept: of each network, percent; None where it was not measured.
    """

    name: str
    levels: str
    kept: list[float | None]


@dataclass(frozen=True)
class HeatMap:
    """Networks beside each other, the one that keeps most first.

    Attributes:
        title: the images.
        networks: names, and how many trainings of how many were corrupted, where there are several.
        places: of the networks among those of the same images.
        lines: one per corruption, by name.
        mean: over the corruptions that most of the networks have; None for the other networks.
        shared: how many these are.
    """

    title: str
    networks: list[tuple[str, str]]
    places: list[int]
    lines: list[HeatLine]
    mean: list[float | None]
    shared: int


def heat_map(images: SameImages) -> HeatMap | None:
    """The map of what was corrupted on the same images; None if nothing was."""
    names = images.names(_KIND)
    networks = images.disturbed(_KIND)
    if not networks:
        return None
    most, shared = images.alike(_KIND)
    levels = {name: common_levels(networks, _KIND, name) for name in names}
    kept = {name: [_kept(one, name, levels[name]) for one in networks] for name in names}
    means = [
        _mean([kept[name][place] for name in shared]) if one in most else None
        for place, one in enumerate(networks)
    ]
    order = sorted(range(len(networks)), key=lambda place: (-(means[place] or 0), place))
    return HeatMap(
        title=images.title,
        networks=[(networks[place].name, _counted(networks[place], names)) for place in order],
        places=[networks[place].place for place in order],
        lines=[
            HeatLine(
                name.replace("_", " "),
                ", ".join(f"{level:g}" for level in levels[name]),
                [kept[name][place] for place in order],
            )
            for name in names
        ],
        mean=[means[place] for place in order],
        shared=len(shared),
    )


def _counted(network: Network, names: list[str]) -> str:
    every = len(network.runs)
    found = max(len(network.points(_KIND, name)) for name in names)
    return "" if every == 1 else f"{found} of {every} trainings"


def _kept(network: Network, name: str, levels: list[float]) -> float | None:
    """Mean over runs, percent."""
    shares = [mean_kept(points, levels) for points in network.points(_KIND, name)]
    known = [100 * share for share in shares if share is not None]
    return fmean(known) if known else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
