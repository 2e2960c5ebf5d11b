"""Counting labels and turning counts into scores, in integers until the last division.

A confusion matrix here is int64 with rows = ground truth and columns = prediction. Evidence
uses a taller form, `(classes + 1, outputs)`: its last row counts void ground truth, and it
has one column per output of the network, which may know more classes than are scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segmodels.errors import SegmodelsError
from segmodels.protocols import Void

Labels = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def confusion_matrix(
    label: Labels, prediction: Labels, num_classes: int, ignore_index: int = 255
) -> Counts:
    """Count pixel pairs of one image.

    Args:
        label: ground truth, any integer type and shape, values 0..num_classes-1 or `ignore_index`.
        prediction: same shape, values 0..num_classes-1.
        num_classes: number of classes C.
        ignore_index: ground truth value whose pixels are left out.

    Returns:
        int64 (C, C), rows = ground truth, columns = prediction.

    Raises:
        SegmodelsError: shapes differ or a value lies outside its range.
    """
    return count_pairs(label, prediction, num_classes, num_classes, ignore_index)[:num_classes]


def count_pairs(
    label: Labels, prediction: Labels, num_classes: int, num_outputs: int, ignore_index: int = 255
) -> Counts:
    """Count pixel pairs, keeping void ground truth in a last row.

    Returns:
        int64 (num_classes + 1, num_outputs).

    Raises:
        SegmodelsError: shapes differ or a value lies outside its range.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape:
        raise SegmodelsError(f"label is {label.shape} but prediction is {prediction.shape}.")
    _check_range("prediction", prediction, num_outputs, None)
    _check_range("label", label, num_classes, ignore_index)
    rows = label.astype(np.int64)
    rows[label == ignore_index] = num_classes
    cells = rows.ravel() * num_outputs + prediction.ravel().astype(np.int64)
    counted = np.bincount(cells, minlength=(num_classes + 1) * num_outputs)
    return counted.reshape(num_classes + 1, num_outputs).astype(np.int64)


def _check_range(what: str, values: Labels, limit: int, spare: int | None) -> None:
    if values.size == 0 or values.dtype == np.bool_:
        return
    if not np.issubdtype(values.dtype, np.integer):
        raise SegmodelsError(f"{what} must hold integers, not {values.dtype}.")
    if int(values.min()) >= 0 and int(values.max()) < limit:
        return
    stray = sorted({int(v) for v in np.unique(values)} - set(range(limit)) - {spare})
    if stray:
        shown = ", ".join(map(str, stray[:5]))
        raise SegmodelsError(f"{what} holds {shown}, outside the classes 0..{limit - 1}.")


def intersection_and_union(counts: Counts, void: Void = "ignore") -> tuple[Counts, Counts]:
    """Per-class pixel counts of `(…, C + 1, K)` evidence counts.

    With `ignore` the void row is dropped; with `error` its pixels enter the union of the
    class predicted there. Outputs beyond the C classes are misses of the true class.

    Returns:
        intersection and union, each int64 (…, C).
    """
    classes = counts.shape[-2] - 1
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
    """IoU of each class of a square matrix (C, C); NaN for a class absent from both sides."""
    counts = _square(counts)
    union = counts.sum(axis=1) + counts.sum(axis=0) - np.diagonal(counts)
    return iou_from(np.diagonal(counts), union)


def mean_iou(counts: Counts) -> float:
    """The papers' mIoU of a square matrix: IoU over the whole split, averaged over the
    classes that occur (union > 0), in 0..1. Not a mean over images.
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
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise SegmodelsError(f"a confusion matrix is (C, C), not {counts.shape}.")
    return counts
