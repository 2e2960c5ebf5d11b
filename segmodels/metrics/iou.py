"""Turning counts into scores, in integers until the last division.

Matrices are those of `segmodels.evaluation.counting`: rows = ground truth, columns = prediction,
and one row more for void in the tall form that evidence holds. Everything here is in 0..1, and a
class without pixels is NaN and left out of means, as in the papers' code.
"""

from __future__ import annotations

import numpy as np

from segmodels.core.arguments import matrix
from segmodels.core.arrays import Counts, Floats
from segmodels.protocols.protocol import Void


def intersection_and_union(counts: Counts, void: Void = "ignore") -> tuple[Counts, Counts]:
    """Per-class pixel counts of `(…, C + 1, K)` evidence counts.

    With `ignore` the void row is dropped; with `error` its pixels enter the union of the
    class predicted there; with `class` it is one class more, the output behind the others.
    Outputs beyond the classes are misses of the true class.

    Returns:
        intersection and union, each int64 (…, C), or (…, C + 1) with `class`.
    """
    classes = counts.shape[-2] - (void != "class")
    true = counts[..., :classes, :]
    intersection = np.diagonal(true[..., :classes], axis1=-2, axis2=-1)
    predicted = (counts if void == "error" else true)[..., :classes].sum(axis=-2)
    return intersection, true.sum(axis=-1) + predicted - intersection


def iou_from(intersection: Counts, union: Counts) -> Floats:
    """Intersection over union per class; NaN where a class never occurs."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(union > 0, intersection / union, np.nan), dtype=np.float64)


def mean_of(iou: Floats) -> Floats:
    """Mean over the last axis leaving NaN out; NaN when nothing is left."""
    present = ~np.isnan(iou)
    total = np.where(present, iou, 0.0).sum(axis=-1)
    number = present.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(number > 0, total / number, np.nan), dtype=np.float64)


def iou_per_class(counts: Counts) -> Floats:
    """IoU of each class of a square matrix (C, C); NaN for a class in neither labels nor truth."""
    counts = _square(counts)
    union = counts.sum(axis=1) + counts.sum(axis=0) - np.diagonal(counts)
    return iou_from(np.diagonal(counts), union)


def mean_iou(counts: Counts) -> float:
    """The papers' mIoU of a square matrix: IoU over the whole split, averaged over the
    classes that occur (union > 0), in 0..1. Not a mean over images.

    Raises:
        SegmodelsError: it is no square matrix of whole numbers of at least 0.
    """
    return float(mean_of(iou_per_class(counts)))


def pixel_accuracy(counts: Counts) -> float:
    """Share of labelled pixels that are right, 0..1; NaN without pixels."""
    counts = _square(counts)
    total = int(counts.sum())
    return float(np.trace(counts) / total) if total else float("nan")


def mean_accuracy(counts: Counts) -> float:
    """Recall averaged over the classes that occur in the ground truth ("class average")."""
    counts = _square(counts)
    return float(mean_of(iou_from(np.diagonal(counts), counts.sum(axis=1))))


def _square(counts: Counts) -> Counts:
    return matrix("counts", counts)
