"""Comparison of two sides of trainings on the same images, over seeds and images together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from segmodels.core.arrays import Floats
from segmodels.evidence import Evidence
from segmodels.evidence.places import on_images_of
from segmodels.metrics.intervals import (
    Interval,
    IntervalRule,
    added,
    around,
    leave_out,
    of_seeds,
    over_images,
    spread_of,
)
from segmodels.protocols.protocol import Protocol

#: Clean evidence of one training, and disturbed copies of it or of some of its images.
TrainingCounts = tuple[Evidence, Sequence[Evidence]]


@dataclass(frozen=True)
class Difference:
    """The first side minus the second.

    Attributes:
        values: mean over the trainings of each side, percent: mIoU, or the share of it retained.
        interval: of the first minus the second, percentage points; NaN where unknown.
        seeds: trainings of each side.
        over: units of the interval, in words.
    """

    values: tuple[float, float]
    interval: Interval
    seeds: tuple[int, int]
    over: str


def compare(
    first: Sequence[TrainingCounts],
    second: Sequence[TrainingCounts],
    protocol: Protocol,
    rule: IntervalRule,
) -> Difference:
    """The mean of one side minus that of the other.

    The variance is that over units of images, which are left out for all trainings at once, plus
    that over the seeds of each side that has several. With a single training on a side the
    interval is about these trainings alone.

    Args:
        first, second: trainings of either side, all under the same disturbances in the same order:
            without any the mIoU is compared, else the share of it that is retained.
        protocol: how counts become a score.
        rule: of the interval.

    Raises:
        SegmodelsError: two of them did not see the same images and classes.
    """
    everything = [_all_of(*training) for training in (*first, *second)]
    number, width = len(first), len(everything[0])

    def per_training(miou: Floats) -> Floats:
        """(…, k) to (…, trainings)."""
        return _compared(miou.reshape(*miou.shape[:-1], -1, width))

    def difference(miou: Floats) -> Floats:
        each = per_training(miou)
        return np.asarray(each[..., :number].mean(axis=-1) - each[..., number:].mean(axis=-1))

    each_piece = [evidence for one in everything for evidence in one]
    left = leave_out(each_piece, protocol, rule)
    value, images = spread_of(left, difference)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = [float(one) for one in per_training(left.whole)]
    sides = each[:number], each[number:]
    spread = added([images, *(of_seeds(side) for side in sides if len(side) > 1)])
    return Difference(
        values=(fmean(sides[0]), fmean(sides[1])),
        interval=around(value, spread, rule.confidence),
        seeds=(len(first), len(second)),
        over=_over(len(first), len(second), over_images(each_piece, rule)),
    )


def _all_of(clean: Evidence, copies: Sequence[Evidence]) -> list[Evidence]:
    return [on_images_of(clean, copies[0]), *copies] if copies else [clean]


def _compared(miou: Floats) -> Floats:
    """The compared value: mIoU (…, trainings, clean and copies) to mIoU or the share retained."""
    if miou.shape[-1] == 1:
        return np.asarray(miou[..., 0])
    return np.asarray(100 * (miou[..., 1:] / miou[..., :1]).mean(axis=-1))


def _over(first: int, second: int, images: str) -> str:
    return f"{first} and {second} trainings and {images}" if first + second > 2 else images
