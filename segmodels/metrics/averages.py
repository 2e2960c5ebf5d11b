"""The same counts averaged in other ways: what people also call mIoU, or ask for beside it.

None of these is the number of the papers. A printed value that lies near one of them, and far from
the mIoU, may have been averaged that way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segmodels.core.arrays import Counts, Floats
from segmodels.evidence import Evidence
from segmodels.metrics.iou import iou_from, mean_of
from segmodels.metrics.scores import counts_per_image
from segmodels.protocols.protocol import Protocol


@dataclass(frozen=True)
class Average:
    """One way to make one number of intersection, union and labelled pixels.

    Attributes:
        name: short, for tables.
        meaning: one sentence on what it does and who does it.
        of: the number, 0..1, from three int64 (images, C): intersection, union and labelled pixels.
            NaN where nothing was counted.
    """

    name: str
    meaning: str
    of: Callable[[Counts, Counts, Counts], float]


def _over_images(intersection: Counts, union: Counts, pixels: Counts) -> float:
    del pixels
    return float(mean_of(mean_of(iou_from(intersection, union))))


def _without_zeros(intersection: Counts, union: Counts, pixels: Counts) -> float:
    iou = _iou(intersection, union, pixels)
    return float(mean_of(np.where(iou > 0, iou, np.nan)))


def _absent_as_zero(intersection: Counts, union: Counts, pixels: Counts) -> float:
    iou = _iou(intersection, union, pixels)
    return float(np.nan_to_num(iou).mean()) if union.any() else float("nan")


def _by_frequency(intersection: Counts, union: Counts, pixels: Counts) -> float:
    weights = pixels.sum(axis=0)
    total = int(weights.sum())
    iou = np.nan_to_num(_iou(intersection, union, pixels))  # a class without pixels has no weight
    return float(weights @ iou / total) if total else float("nan")


def _dice(intersection: Counts, union: Counts, pixels: Counts) -> float:
    del pixels
    both = intersection.sum(axis=0)
    return float(mean_of(iou_from(2 * both, union.sum(axis=0) + both)))


def _iou(intersection: Counts, union: Counts, pixels: Counts) -> Floats:
    del pixels
    return iou_from(intersection.sum(axis=0), union.sum(axis=0))


AVERAGES = (
    Average(
        "mean over images",
        "mIoU of each image, averaged over images, as torchmetrics' MeanIoU does: a small object "
        "in one image weighs as much as the sky in another.",
        _over_images,
    ),
    Average(
        "without classes at zero",
        "A class that is never right leaves the mean instead of entering it as zero, as in the "
        "scripts of CGNet and DABNet; never below mIoU.",
        _without_zeros,
    ),
    Average(
        "absent classes as zero",
        "A class that occurs nowhere enters as zero, where a small constant in the denominator "
        "keeps 0/0 from being noticed; never above mIoU.",
        _absent_as_zero,
    ),
    Average(
        "frequency-weighted IoU",
        "Each class weighted by its share of the labelled pixels (Long et al., CVPR 2015).",
        _by_frequency,
    ),
    Average(
        "mean Dice (F1)",
        "Dice coefficient averaged over the classes that occur; not 2 mIoU / (1 + mIoU), which "
        "holds for each class but not for means.",
        _dice,
    ),
)


def averages(evidence: Evidence, protocol: Protocol) -> dict[str, float]:
    """Every average of `AVERAGES` by its name, in percent, under the scoring of a protocol.

    That over images is NaN where evidence has sums of several of them.

    Raises:
        SegmodelsError: the protocol ignores a class that the evidence does not know.
    """
    counts = counts_per_image(evidence, protocol)
    found = {average.name: 100 * average.of(*counts) for average in AVERAGES}
    return found if evidence.blocks is None else {**found, AVERAGES[0].name: math.nan}
