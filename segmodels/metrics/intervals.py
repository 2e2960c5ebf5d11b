"""Intervals: how far a number would change on other images, or with other trainings.

Every unit of images (see `segmodels.assets.groups`) is left out in turn; the changes of the number
give its variance (the jackknife), and Student's t accounts for a variance from few units.
Leaving out draws nothing by chance, so the same evidence gives the same interval everywhere.
docs/verdicts.md has the reasons for this instead of a bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import variance
from typing import Annotated

import numpy as np
from pydantic import Field, InstanceOf
from pydantic.json_schema import SkipJsonSchema

from segmodels.assets.groups import Grouping, Units, units_of
from segmodels.core.arrays import Counts, Floats
from segmodels.core.entry import Entry
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence
from segmodels.metrics.iou import iou_from, mean_of
from segmodels.metrics.scores import counts_per_image, differing
from segmodels.metrics.student import t_quantile
from segmodels.protocols.protocol import Protocol

Interval = tuple[float, float]

#: Raised when the same counts come to another interval; stands beside recorded ones.
METHOD = 2

#: A statistic of mIoU in percent, one per piece of evidence in the last axis.
Statistic = Callable[[Floats], Floats]


class IntervalRule(Entry):
    """What intervals are to hold (`params/verdict.yaml`).

    Attributes:
        confidence: 0..1, how often the interval is to hold the number it is about.
        groups: by dataset, which images are left out together (`params/datasets.yaml`); images
            of the others are taken as independent.
    """

    confidence: Annotated[float, Field(gt=0, lt=1)]
    groups: SkipJsonSchema[dict[str, InstanceOf[Grouping]]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """A variance and its degrees of freedom.

    Attributes:
        variance: of a number, in its unit squared.
        freedom: degrees of freedom; 0 where the variance cannot be estimated.
    """

    variance: float
    freedom: float

    def half_width(self, confidence: float) -> float:
        """Half the interval around the number; NaN where the variance cannot be estimated."""
        if self.freedom < 1 or math.isnan(self.variance):
            return math.nan
        return t_quantile(confidence, int(self.freedom)) * math.sqrt(self.variance)


@dataclass(frozen=True)
class LeftOut:
    """mIoU in percent of k pieces of evidence over all units, and without each of them.

    Attributes:
        whole: (k,), of all images.
        without: (units, k).
    """

    whole: Floats
    without: Floats


def added(spreads: Iterable[Spread]) -> Spread:
    """The spread of a sum of independent parts (Welch and Satterthwaite)."""
    parts = list(spreads)
    whole = sum(part.variance for part in parts)
    if min(part.freedom for part in parts) < 1:
        return Spread(whole, 0)
    weights = sum(part.variance**2 / part.freedom for part in parts)
    least = min(part.freedom for part in parts)
    return Spread(whole, whole**2 / weights if weights else least)


def of_seeds(values: Sequence[float]) -> Spread:
    """The spread of the mean over trainings that differ by chance alone."""
    number = len(values)
    return Spread(variance(values) / number, number - 1) if number > 1 else Spread(math.nan, 0)


def over(evidences: Sequence[Evidence], rule: IntervalRule) -> str:
    """Units of an interval of the mean, in words: `3 seeds and 233 images`."""
    units = over_images(evidences, rule)
    return f"{len(evidences)} seeds and {units}" if len(evidences) > 1 else units


def over_images(evidences: Sequence[Evidence], rule: IntervalRule) -> str:
    """Units of images of an interval, in words; they are those that all of the evidence has."""
    return _units(evidences, rule).words


def miou_interval(evidence: Evidence, protocol: Protocol, rule: IntervalRule) -> Interval:
    """Interval of one mIoU over images, percent; see `mean_interval`."""
    return mean_interval([evidence], protocol, rule)


def mean_interval(
    evidences: Sequence[Evidence], protocol: Protocol, rule: IntervalRule
) -> Interval:
    """Interval over images of the mean mIoU of several pieces of evidence, percent.

    Args:
        evidences: of one network, on the same images: under several disturbances, for example.
        protocol: how the counts become a score.
        rule: what the interval is to hold, and which images are left out together.

    Returns:
        low and high; both NaN without labelled pixels, or with a single unit of images.

    Raises:
        SegmodelsError: they did not see the same images and classes.
    """
    return _clipped(*spread_of(leave_out(evidences, protocol, rule), _mean), rule)


def trained_interval(
    evidences: Sequence[Evidence], protocol: Protocol, rule: IntervalRule
) -> Interval:
    """Interval over seeds and images of the mean mIoU of several trainings, percent.

    The variance of the mean is that over units of images plus that over seeds. What is particular
    to a seed on an image is in both, so the interval is a little too wide, never too narrow for it.

    Args:
        evidences: one per seed, on the same images; a single one has an interval over images alone.
        protocol, rule: as for `mean_interval`.
    """
    left = leave_out(evidences, protocol, rule)
    value, spread = spread_of(left, _mean)
    if len(evidences) > 1:
        spread = added((spread, of_seeds(list(map(float, left.whole)))))
    return _clipped(value, spread, rule)


def paired_interval(a: Evidence, b: Evidence, protocol: Protocol, rule: IntervalRule) -> Interval:
    """Interval of mIoU(a) - mIoU(b) over images, percentage points.

    The same images are left out for both, so that images which are easy or hard for everybody
    cancel: two models whose own intervals overlap can still differ for certain. Exchanging a
    and b exchanges and negates the ends.

    Args:
        a: one model's evidence.
        b: the other's, on the same images; the inference may differ.
        protocol: how the counts of both become a score.
        rule: as for `mean_interval`.

    Returns:
        low and high; both NaN without labelled pixels, or with a single unit of images.

    Raises:
        SegmodelsError: the two did not see the same images and classes.
    """
    left = leave_out([a, b], protocol, rule)
    value, spread = spread_of(left, lambda miou: np.asarray(miou[..., 0] - miou[..., 1]))
    return around(value, spread, rule.confidence)


def same_units(
    a: Evidence, b: Evidence, rule: IntervalRule, joined: Collection[Sequence[int]] = ()
) -> bool:
    """Whether both have the same classes and images, and the same units of them are left out.

    Args:
        a, b: what is compared.
        rule, joined: as for `leave_out`.
    """
    return not differing(a, b) and _units([a], rule, joined) == _units([b], rule, joined)


def leave_out(
    evidences: Sequence[Evidence],
    protocol: Protocol,
    rule: IntervalRule,
    joined: Collection[Sequence[int]] = (),
) -> LeftOut:
    """mIoU of several pieces of evidence over all images, and without each unit of them.

    Args:
        evidences: k of them, on the same images.
        protocol, rule: as for `mean_interval`.
        joined: sizes of the blocks of more evidence on these images, whose units are to be the
            same.

    Raises:
        SegmodelsError: they did not see the same images and classes.
    """
    first, *others = evidences
    for other in others:
        if fields := differing(first, other):
            raise SegmodelsError(
                f"evidence {first.key} and {other.key} cannot be compared image by image: "
                f"their {fields[0]} differ."
            )
    units = _units(evidences, rule, joined)
    each = [_without_each(evidence, protocol, units) for evidence in evidences]
    return LeftOut(np.array([one[0] for one in each]), np.stack([one[1] for one in each], axis=1))


def spread_of(left: LeftOut, of: Statistic) -> tuple[float, Spread]:
    """The value of a statistic of several mIoU, and its spread over units of images.

    Args:
        left: of k pieces of evidence.
        of: of mIoU in percent, (…, k), to (…).
    """
    units = len(left.without)
    with np.errstate(invalid="ignore", divide="ignore"):  # a share of a clean score of zero
        value, without = float(of(left.whole)), of(left.without)
        squares = float(np.sum((without - value) ** 2))
    if units < 2:
        return value, Spread(math.nan, 0)
    return value, Spread((units - 1) / units * squares, units - 1)


def around(value: float, spread: Spread, confidence: float) -> Interval:
    """The interval around a number; both ends NaN where its variance cannot be estimated."""
    half = spread.half_width(confidence)
    return value - half, value + half


def _units(
    evidences: Sequence[Evidence], rule: IntervalRule, joined: Collection[Sequence[int]] = ()
) -> Units:
    """Units of images that the counts of each piece of evidence tell apart."""
    first, blocks = evidences[0], {one.blocks.sizes for one in evidences if one.blocks}
    groups = rule.groups.get(first.identity.dataset)
    every = max(one.identity.every for one in evidences)
    return units_of(first.names, groups, blocks.union(map(tuple, joined)), every)


def _without_each(evidence: Evidence, protocol: Protocol, units: Units) -> tuple[float, Floats]:
    """mIoU in percent of all images, and without each unit, over the same classes.

    A class whose labelled pixels all lie in the unit left out keeps the IoU it has on all images:
    nothing tells what it is elsewhere, and without it the mean would be one of other classes.
    """
    intersection, union, labelled = (
        _per_unit(counts, units) for counts in counts_per_image(evidence, protocol)
    )
    iou = 100 * iou_from(intersection.sum(axis=0), union.sum(axis=0))
    rest = 100 * iou_from(intersection.sum(axis=0) - intersection, union.sum(axis=0) - union)
    gone = labelled.sum(axis=0) == labelled
    return float(mean_of(iou)), mean_of(np.where(gone, iou, rest))


def _per_unit(counts: Counts, units: Units) -> Counts:
    summed = np.zeros((units.number, counts.shape[1]), dtype=np.int64)
    np.add.at(summed, list(units.places), counts)
    return summed


def _mean(miou: Floats) -> Floats:
    return np.asarray(miou.mean(axis=-1))


def _clipped(value: float, spread: Spread, rule: IntervalRule) -> Interval:
    """No mIoU is below 0 or above 100."""
    low, high = around(value, spread, rule.confidence)
    return (low, high) if math.isnan(low) else (max(0.0, low), min(100.0, high))
