"""mIoU over the severity of corruptions: a chart for each family of them."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from segmodels.leaderboard.charts.lines import Kind, LineChart, Series, line_chart
from segmodels.leaderboard.charts.networks import Network, SameConditions, SameImages
from segmodels.metrics.robustness import Curve, Robustness
from segmodels.robustness.corruptions import BY_FAMILY

SEVERITY = Kind("corruption", "severity of corruptions", "1 to 5")


def severity_charts(images: SameImages) -> list[LineChart]:
    """Networks beside each other: of each the mean over the corruptions of a family."""
    charts = []
    for family, names in _families(images.names(SEVERITY.name)):
        compared = _compared(images.groups(SEVERITY.name, names))
        shared = list(compared.levels)
        common = sorted(set.intersection(*map(set, compared.levels.values())))
        series = [_averaged(one, shared, common) for one in compared.networks]
        if common:
            mean = "mean over " if len(shared) > 1 else ""
            title = f"{family} ({mean}{_listed(shared)}): {images.title}"
            charts.append(line_chart(SEVERITY, title, series))
    return charts


def _compared(groups: list[SameConditions]) -> SameConditions:
    """Of the groups with the most corruptions the first of several networks, or the first."""
    most = [one for one in groups if len(one.levels) == max(len(one.levels) for one in groups)]
    return next((one for one in most if len(one.networks) > 1), most[0])


def own_severity_charts(found: Robustness, title: str) -> list[LineChart]:
    """One training alone: a line for each corruption of a family.

    Args:
        found: what disturbance cost it.
        title: the images.
    """
    curves = {curve.name: curve for curve in found.curves if curve.kind == SEVERITY.name}
    return [
        line_chart(
            SEVERITY,
            f"{family}: {title}",
            [_alone(found, curves[name], place) for place, name in enumerate(names)],
        )
        for family, names in _families(curves)
    ]


def _families(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Names of corruptions by their family, those that are known to none at the end."""
    left = sorted(names)
    known = {name for every in BY_FAMILY.values() for name in every}
    families = {**BY_FAMILY, "other": [name for name in left if name not in known]}
    found = {family: [name for name in every if name in left] for family, every in families.items()}
    return [(family, every) for family, every in found.items() if every]


def _averaged(network: Network, names: list[str], levels: list[float]) -> Series:
    """mIoU of every training, percent: the mean over corruptions at each severity."""
    values: dict[float, list[float]] = {SEVERITY.clean: []}
    for run in network.runs:
        curves = [c for c in run.curves if c.kind == SEVERITY.name and c.name in names]
        values[SEVERITY.clean].append(run.clean)
        points = [{point.level: point.miou for point in curve.points} for curve in curves]
        for level in levels:
            values.setdefault(level, []).append(fmean(one[level] for one in points))
    number = f"{len(network.runs)} trainings" if len(network.runs) > 1 else ""
    return Series(network.name, network.place, number, values)


def _alone(found: Robustness, curve: Curve, place: int) -> Series:
    values = {SEVERITY.clean: [found.clean_of(curve)]}
    values |= {point.level: [point.miou] for point in curve.points}
    return Series(_listed([curve.name]), place, "", values)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
