"""mIoU over the level of noise on parameters, with the spread over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from segmodels.leaderboard.charts.networks import Network, SameImages
from segmodels.leaderboard.charts.scale import Scale

KIND = "parameter_noise"

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 42


@dataclass(frozen=True)
class NoiseLine:
    """One network; places are pixels.

    Attributes:
        name, place: of the network.
        number: how many runs and seeds of the noise it is the mean of, in words.
        path: of the means.
        band: outline of the lowest and the highest seed; "" where there is one alone.
        marks: places of the means.
        values: level and numbers, as text.
    """

    name: str
    place: int
    number: str
    path: str
    band: str
    marks: list[tuple[str, str]]
    values: str


@dataclass(frozen=True)
class NoiseChart:
    """Curves of the networks that were measured on the same images; places are pixels.

    Attributes:
        title: the images, and which parameters where not all of them.
        below: ticks of the levels, which stand at equal distances, and of no noise first.
        beside: ticks of the mIoU.
        lines: by name.
    """

    title: str
    below: list[tuple[str, str]]
    beside: list[tuple[str, str]]
    lines: list[NoiseLine]


@dataclass(frozen=True)
class Series:
    """The numbers of one network: mIoU of every run and seed by level, percent; without noise at 0.

    Attributes:
        name, place: of the network.
        number: what they are the mean of, in words.
        values: in the order of the levels.
    """

    name: str
    place: int
    number: str
    values: dict[float, list[float]]


def noise_charts(images: SameImages) -> list[NoiseChart]:
    """One chart for each kind of noise that networks were measured under."""
    return [_measured(images, name) for name in images.names(KIND)]


def _measured(images: SameImages, name: str) -> NoiseChart:
    found = [(one, _values(one, name)) for one in images.networks]
    more = name.partition(", ")[2]
    return noise_chart(
        ", ".join(filter(None, [images.title, more.replace("_", " ")])),
        [Series(one.name, one.place, _counted(one, v, name), v) for one, v in found if v],
    )


def _values(network: Network, name: str) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for run in network.runs:
        points = [p for c in run.curves if (c.kind, c.name) == (KIND, name) for p in c.points]
        for point in points:
            found.setdefault(point.level, []).extend(point.seeds or (point.miou,))
        if points:
            found.setdefault(0.0, []).append(run.clean)
    return dict(sorted(found.items()))


def _counted(network: Network, values: dict[float, list[float]], name: str) -> str:
    trainings = len(network.points(KIND, name))
    draws = max(len(some) for level, some in values.items() if level) // max(1, trainings)
    words = [f"{trainings} trainings" if trainings > 1 else "", f"{draws} draws of noise"]
    return ", ".join(filter(None, words if draws > 1 else words[:1]))


def noise_chart(title: str, series: Sequence[Series]) -> NoiseChart:
    """A chart of at least one series."""
    levels = sorted({level for one in series for level in one.values})
    every = [value for one in series for some in one.values.values() for value in some]
    y = Scale(0.0, max(*every, 1.0) * 1.05, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT - 20) / max(1, len(levels) - 1)
    across = {level: LEFT + 10 + step * place for place, level in enumerate(levels)}
    return NoiseChart(
        title=title,
        below=[(f"{across[level]:.1f}", _tick(level)) for level in levels],
        beside=[(f"{y.at(tick):.1f}", f"{tick:g}") for tick in y.ticks()],
        lines=[_line(one, across, y) for one in series],
    )


def _tick(level: float) -> str:
    """Short enough for twelve beside each other."""
    return f"{level:g}".removeprefix("0") if level else "none"


def _line(series: Series, across: dict[float, float], y: Scale) -> NoiseLine:
    values = series.values
    means = [(across[level], y.at(fmean(some))) for level, some in values.items()]
    lows = [(across[level], y.at(min(some))) for level, some in values.items()]
    highs = [(across[level], y.at(max(some))) for level, some in values.items()]
    spread = any(len(set(some)) > 1 for some in values.values())
    return NoiseLine(
        name=series.name,
        place=series.place,
        number=series.number,
        path=_path(means),
        band=f"{_path([*highs, *reversed(lows)])}z" if spread else "",
        marks=[(f"{x:.1f}", f"{height:.1f}") for x, height in means],
        values=", ".join(f"{level:g}: {fmean(some):.1f}" for level, some in values.items()),
    )


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {height:.1f}" for x, height in points)
