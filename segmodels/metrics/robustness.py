"""Robustness: mIoU under disturbed images or parameters, beside the clean number."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from segmodels.core.files import digest
from segmodels.evidence import Evidence, ImageCounts, images_asked
from segmodels.evidence.places import on_images_of, places_asked
from segmodels.metrics.intervals import Interval
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

#: Fields of a condition that are no disturbance of their own.
_PLACES = ("severity", "seed", "version")

#: Fields that name a disturbance; their values are of what it is, or how strong.
_KINDS = ("corruption", "parameter_noise", "attack", "resolution")

#: What the name of a curve ends with where not all images were counted, before their number.
IMAGES = "one image in"


@dataclass(frozen=True)
class CurvePoint:
    """One strength of one disturbance: mIoU in percent and its share of the clean one.

    The share is None where the clean mIoU is zero: nothing is there of which it could be one; so
    is the interval of the mIoU over images where none is known. `seeds` are the mIoU of each seed
    of the disturbance, where there are several.
    """

    level: float
    miou: float
    ratio: float | None
    interval: Interval | None = None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curve:
    """mIoU over strength.

    Attributes:
        kind: groups curves (`corruption`, `parameter_noise`, …).
        name: of the disturbance, with the share of the images where not all were counted.
        points: by strength.
        clean: undisturbed mIoU of the images that were counted, percent, where these are not all.
    """

    kind: str
    name: str
    points: tuple[CurvePoint, ...]
    clean: float | None = None


@dataclass(frozen=True)
class Robustness:
    """All curves of a row.

    Attributes:
        clean: mIoU of the undisturbed evidence, percent.
        mean: mIoU averaged over all corruptions and severities, percent; None without any.
        ratio: the same average of mIoU / clean mIoU; None without any, or where that is zero.
        curves: by kind and name. Clean and disturbed are compared on the same images.
    """

    clean: float
    mean: float | None
    ratio: float | None
    curves: tuple[Curve, ...]

    def clean_of(self, curve: Curve) -> float:
        """Undisturbed mIoU of the images of a curve, percent."""
        return self.clean if curve.clean is None else curve.clean


def merge_images(evidence: Evidence) -> Evidence:
    """The same total counts as one image: 75 disturbed copies of a split then fit in memory.

    A single image keeps its name, which is compared with the one that was asked for.
    """
    names = [one.image for one in evidence.images]
    merged = ImageCounts.from_matrix(names[0] if len(names) == 1 else "all", evidence.total())
    return dataclasses.replace(evidence, images=(merged,), blocks=None)


def summarise(
    clean: Evidence,
    disturbed: Iterable[Evidence],
    protocol: Protocol,
    interval_of: Callable[[list[Evidence]], Interval | None] = lambda _: None,
) -> Robustness:
    """Score disturbed evidence against clean evidence of the same weights, split and inference.

    Args:
        clean: evidence with its images, those of all that is disturbed among them.
        disturbed: evidence, images merged or not; seeds of one condition are averaged.
        protocol: how counts become a score.
        interval_of: the interval of the mean mIoU of such evidence, if it is known.
    """
    found: dict[tuple[str, str], dict[float, list[Evidence]]]
    found = defaultdict(lambda: defaultdict(list))
    for evidence in _longest(disturbed):
        if math.isnan(score(evidence, protocol).miou):
            continue
        kind, name, level = _place(evidence.identity.condition or {})
        found[kind, name][level].append(evidence)

    intact: dict[range, float] = {}

    def clean_of(evidence: Evidence) -> float:
        places = places_asked(evidence)
        if places not in intact:
            intact[places] = score(on_images_of(clean, evidence), protocol).miou
        return intact[places]

    def point(level: float, evidence: Evidence) -> CurvePoint:
        miou, whole = score(evidence, protocol).miou, clean_of(evidence)
        return CurvePoint(level, miou, miou / whole if whole > 0 else None)

    def averaged(level: float, seeds: list[Evidence]) -> CurvePoint:
        points = [point(level, one) for one in seeds]
        return dataclasses.replace(_average(points), interval=interval_of(seeds))

    def curve(kind: str, name: str, levels: dict[float, list[Evidence]]) -> Curve:
        points = tuple(averaged(level, levels[level]) for level in sorted(levels))
        some = next(iter(levels.values()))[0]
        whole = some.identity.every == 1
        return Curve(kind, name, points, None if whole else round(clean_of(some), 4))

    curves = tuple(curve(*place, levels) for place, levels in sorted(found.items()))
    points = [p for curve in curves if curve.kind == "corruption" for p in curve.points]
    return Robustness(
        clean=round(score(clean, protocol).miou, 4),
        mean=round(fmean(p.miou for p in points), 4) if points else None,
        ratio=mean_share(points),
        curves=curves,
    )


def _longest(disturbed: Iterable[Evidence]) -> list[Evidence]:
    """Of several counts under one condition, that of the newest version over most images."""

    def order(evidence: Evidence) -> tuple[int, int, str]:
        version = (evidence.identity.condition or {}).get("version", 1)
        return version, images_asked(evidence), evidence.key

    longest: dict[str, Evidence] = {}
    for evidence in sorted(disturbed, key=order):
        condition = evidence.identity.condition or {}
        longest[digest({k: v for k, v in condition.items() if k != "version"})] = evidence
    return list(longest.values())


def _place(condition: dict[str, Any]) -> tuple[str, str, float]:
    """Kind, name and strength: ("corruption", "fog", 3.0), ("parameter_noise", …, 0.01), ("attack",
    "pgd, …", 8.0).
    """
    fields = {key: value for key, value in condition.items() if key not in _PLACES}
    kind = next((one for one in _KINDS if one in fields), next(iter(fields), "unknown"))
    value = fields.pop(kind, 0.0)
    if kind == "corruption":
        # Another definition of it stands beside, and is in no mean of the usual ones.
        return _named(kind, fields), str(value), float(condition.get("severity", 0))
    if kind == "attack":
        epsilon = fields.pop("epsilon", 0)
        return kind, _named(str(value), fields), float(epsilon)
    if not isinstance(value, int | float):
        return kind, _named(f"{kind} {value}", fields), 0.0
    return kind, _named(kind, fields), float(value)


def _named(what: str, fields: dict[str, Any]) -> str:
    """With all fields that tell it from others, images last."""
    every = fields.pop("every", None)
    others = [f"{field} {value}" for field, value in fields.items()]
    return ", ".join([what, *others, *([f"{IMAGES} {every}"] if every else [])])


def _average(points: list[CurvePoint]) -> CurvePoint:
    miou = fmean(p.miou for p in points)
    seeds = tuple(round(point.miou, 4) for point in points) if len(points) > 1 else ()
    return CurvePoint(points[0].level, round(miou, 4), mean_share(points), seeds=seeds)


def mean_share(points: Iterable[CurvePoint]) -> float | None:
    """Mean share of the clean mIoU that is retained, four decimals; None where there is none."""
    shares = [point.ratio for point in points if point.ratio is not None]
    return round(fmean(shares), 4) if shares else None
