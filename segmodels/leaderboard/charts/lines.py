"""mIoU over the strength of noise on parameters, of attacks, or over the size of test images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from segmodels.leaderboard.charts.networks import Network, SameImages
from segmodels.leaderboard.charts.scale import Scale

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 42


@dataclass(frozen=True)
class Kind:
    """A kind of disturbance that is drawn over its strength.

    Attributes:
        name: of its curves.
        about: what its strength is, in words.
        unit: of the strength.
        clean: the strength that disturbs nothing.
        draws: what several numbers of one training at one strength are, in words.
    """

    name: str
    about: str
    unit: str
    clean: float = 0.0
    draws: str = ""


NOISE = Kind("parameter_noise", "noise on parameters", "standard deviation", draws="draws of noise")
RESOLUTION = Kind("resolution", "size of test images", "times that of the protocol", clean=1.0)
ATTACK = Kind("attack", "bound of an attack", "grey levels", draws="starts")
KINDS = (NOISE, RESOLUTION, ATTACK)


@dataclass(frozen=True)
class Line:
    """One network; places are pixels.

    Attributes:
        name, place: of the network.
        number: how many runs and draws it is the mean of, in words.
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
class LineChart:
    """Curves of the networks that were measured on the same images; places are pixels.

    Attributes:
        kind: what they are drawn over.
        title: the images, and which disturbance where there are several of the kind.
        below: ticks of the levels, which stand at equal distances, and of no disturbance.
        beside: ticks of the mIoU.
        lines: by name.
    """

    kind: Kind
    title: str
    below: list[tuple[str, str]]
    beside: list[tuple[str, str]]
    lines: list[Line]


@dataclass(frozen=True)
class Series:
    """The numbers of one network: mIoU of every run and draw by level, percent.

    Attributes:
        name, place: of the network.
        number: what they are the mean of, in words.
        values: in the order of the levels.
    """

    name: str
    place: int
    number: str
    values: dict[float, list[float]]


def line_charts(
    images: SameImages, kind: Kind, among: Collection[str] | None = None
) -> list[LineChart]:
    """One chart for each disturbance of a kind that networks were measured under.

    Args:
        images: the networks.
        kind: of the disturbances.
        among: names of disturbances (default: all).
    """
    names = images.names(kind.name)
    return [_measured(images, kind, name) for name in names if among is None or name in among]


def _measured(images: SameImages, kind: Kind, name: str) -> LineChart:
    found = [(one, _values(one, kind, name)) for one in images.networks]
    more = name.removeprefix(kind.name).removeprefix(", ").replace("_", " ")
    return line_chart(
        kind,
        ": ".join(filter(None, [more, images.title])),
        [Series(one.name, one.place, _counted(one, v, kind, name), v) for one, v in found if v],
    )


def _values(network: Network, kind: Kind, name: str) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for run in network.runs:
        for curve in (c for c in run.curves if (c.kind, c.name) == (kind.name, name)):
            for point in curve.points:
                found.setdefault(point.level, []).extend(point.seeds or (point.miou,))
            if _has_clean(kind, name):
                found.setdefault(kind.clean, []).append(run.clean_of(curve))
    return dict(sorted(found.items()))


def _has_clean(kind: Kind, name: str) -> bool:
    """Whether the clean number is of a curve: of one in other windows it is not."""
    return kind != RESOLUTION or "windows" not in name


def _counted(network: Network, values: dict[float, list[float]], kind: Kind, name: str) -> str:
    trainings = len(network.points(kind.name, name))
    disturbed = (len(some) for level, some in values.items() if level != kind.clean)
    draws = max(disturbed, default=0) // max(1, trainings)
    words = [f"{trainings} trainings" if trainings > 1 else "", f"{draws} {kind.draws}"]
    return ", ".join(filter(None, words if draws > 1 else words[:1]))


def line_chart(kind: Kind, title: str, series: Sequence[Series]) -> LineChart:
    """A chart of at least one series."""
    levels = sorted({level for one in series for level in one.values})
    every = [value for one in series for some in one.values.values() for value in some]
    y = Scale(0.0, max(*every, 1.0) * 1.05, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT - 20) / max(1, len(levels) - 1)
    across = {level: LEFT + 10 + step * place for place, level in enumerate(levels)}
    return LineChart(
        kind=kind,
        title=title,
        below=[(f"{across[level]:.1f}", _tick(level)) for level in levels],
        beside=[(f"{y.at(tick):.1f}", f"{tick:g}") for tick in y.ticks()],
        lines=[_line(one, across, y) for one in series],
    )


def _tick(level: float) -> str:
    """Short enough for twelve beside each other."""
    return f"{level:g}".removeprefix("0") if level else "none"


def _line(series: Series, across: dict[float, float], y: Scale) -> Line:
    values = series.values
    means = [(across[level], y.at(fmean(some))) for level, some in values.items()]
    lows = [(across[level], y.at(min(some))) for level, some in values.items()]
    highs = [(across[level], y.at(max(some))) for level, some in values.items()]
    spread = any(len(set(some)) > 1 for some in values.values())
    return Line(
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
