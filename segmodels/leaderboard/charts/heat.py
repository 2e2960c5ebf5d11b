"""Heat map of networks and corruptions: the share of the clean mIoU that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from segmodels.leaderboard.charts.networks import (
    Network,
    SameConditions,
    SameImages,
    mean_kept,
)

_KIND = "corruption"


@dataclass(frozen=True)
class HeatLine:
    """One corruption.

    Attributes:
        name: of it.
        levels: severities, as text.
        kept: of each network, percent; None where its clean mIoU is 0.
    """

    name: str
    levels: str
    kept: list[float | None]


@dataclass(frozen=True)
class HeatMap:
    """Networks under the same conditions beside each other, the one that keeps most first.

    Attributes:
        title: the images.
        networks: names, and how many trainings of how many have all of it, where there are several.
        places: of the networks among those of the same images.
        lines: one per corruption, by name.
        mean: over the corruptions.
        caption: what the numbers are.
    """

    title: str
    networks: list[tuple[str, str]]
    places: list[int]
    lines: list[HeatLine]
    mean: list[float | None]
    caption: str = "Kept under corruptions, % of the clean mIoU"

    @property
    def shared(self) -> int:
        """How many corruptions the mean is over."""
        return len(self.lines)


def heat_maps(images: SameImages, key: str | None = None) -> list[HeatMap]:
    """A map for all that have the most conditions, then one for each set that others have.

    Those that have more stand in the map of a smaller set too, by what is in it.

    Args:
        images: the networks on the same images.
        key: of evidence that is to be in it (default: any).
    """
    groups = images.groups(_KIND)
    return [
        _heat_map(images, one) for one in groups if key is None or one.place_of(key) is not None
    ]


def _heat_map(images: SameImages, group: SameConditions) -> HeatMap:
    levels, networks = group.levels, group.networks
    kept = {name: [_kept(one, name, levels[name]) for one in networks] for name in levels}
    means = [_mean([every[place] for every in kept.values()]) for place in range(len(networks))]
    order = sorted(range(len(networks)), key=lambda place: (-(means[place] or 0), place))
    trainings = {one.place: len(one.runs) for one in images.networks}
    return HeatMap(
        title=images.title,
        networks=[(networks[place].name, _counted(networks[place], trainings)) for place in order],
        places=[networks[place].place for place in order],
        lines=[
            HeatLine(
                name.replace("_", " "),
                ", ".join(f"{level:g}" for level in levels[name]),
                [kept[name][place] for place in order],
            )
            for name in levels
        ],
        mean=[means[place] for place in order],
    )


def _counted(network: Network, trainings: dict[int, int]) -> str:
    every = trainings[network.place]
    return "" if every == 1 else f"{len(network.runs)} of {every} trainings"


def _kept(network: Network, name: str, levels: list[float]) -> float | None:
    """Mean over trainings, percent."""
    shares = [mean_kept(points, levels) for points in network.points(_KIND, name)]
    known = [100 * share for share in shares if share is not None]
    return fmean(known) if known else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
