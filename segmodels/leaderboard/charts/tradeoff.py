"""What corruptions leave, over the clean mIoU: a mark for every run."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from segmodels.leaderboard.charts.networks import SameImages, mean_kept
from segmodels.leaderboard.charts.scale import Scale
from segmodels.metrics.robustness import Robustness

_KIND = "corruption"
WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 42


@dataclass(frozen=True)
class Cloud:
    """The runs of a network: name and place of that, where each is, pixels, and their numbers."""

    name: str
    place: int
    marks: list[tuple[str, str]]
    values: str
    number: str = ""


@dataclass(frozen=True)
class Tradeoff:
    """A chart of the networks that were corrupted on the same images; places are pixels.

    Attributes:
        title: the images.
        shared: how many corruptions the kept share is the mean over.
        below, beside: ticks of the clean mIoU, and of the share kept.
        clouds: by network.
    """

    title: str
    shared: int
    below: list[tuple[str, str]]
    beside: list[tuple[str, str]]
    clouds: list[Cloud]


def tradeoff(images: SameImages) -> Tradeoff | None:
    """The chart; None unless two networks were corrupted in the same ways."""
    several = (one for one in images.groups(_KIND) if len(one.networks) > 1)
    if (compared := next(several, None)) is None:
        return None
    networks, levels = compared.networks, compared.levels
    found = {
        one: [(run.clean, kept) for run in one.runs if (kept := _kept(run, levels))]
        for one in networks
    }
    every = [pair for pairs in found.values() for pair in pairs]
    if not every:
        return None
    x = _scale([clean for clean, _ in every], LEFT + 8, WIDTH - RIGHT - 8)
    y = _scale([kept for _, kept in every], HEIGHT - BOTTOM - 8, TOP + 8)
    return Tradeoff(
        title=images.title,
        shared=len(levels),
        below=[(f"{x.at(tick):.1f}", f"{round(tick, 4):g}") for tick in x.ticks()],
        beside=[(f"{y.at(tick):.1f}", f"{round(tick, 4):g}") for tick in y.ticks()],
        clouds=[
            Cloud(
                one.name,
                one.place,
                [(f"{x.at(clean):.1f}", f"{y.at(kept):.1f}") for clean, kept in pairs],
                "; ".join(f"clean {clean:.1f}, {kept:.0f} % kept" for clean, kept in pairs),
            )
            for one, pairs in found.items()
            if pairs
        ],
    )


def _scale(values: list[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    room = max(1.0, 0.08 * (high - low))
    return Scale(max(0.0, low - room), high + room, start, end)


def _kept(run: Robustness, levels: dict[str, list[float]]) -> float | None:
    """Mean over the corruptions, percent; None where the run lacks one."""
    curves = {c.name: {p.level: p for p in c.points} for c in run.curves if c.kind == _KIND}
    shares = [mean_kept(curves.get(name, {}), wanted) for name, wanted in levels.items()]
    known = [share for share in shares if share is not None]
    return 100 * fmean(known) if known and len(known) == len(shares) else None
