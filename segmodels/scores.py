"""From counts to percentages, with an interval that says how much the choice of images matters."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from segmodels.evidence import Evidence
from segmodels.metrics import Counts, Floats, intersection_and_union, iou_from, mean_of
from segmodels.protocols import Protocol, Void

Interval = tuple[float, float]

_CHUNK = 64  # images made dense at once: 171 classes would need a gigabyte for 5000


@dataclass(frozen=True)
class Score:
    """What counts say under one protocol, all in percent; NaN where nothing was counted."""

    miou: float
    per_class: dict[str, float]
    pixel_accuracy: float
    mean_accuracy: float


@dataclass(frozen=True)
class Bootstrap:
    """How the interval is drawn: `resamples` draws, `confidence` (0..1) of them inside."""

    resamples: int
    confidence: float


def score(evidence: Evidence, protocol: Protocol) -> Score:
    """mIoU as the protocol defines it; both accuracies always over labelled pixels."""
    total = evidence.total()
    labelled = total[:-1]
    intersection, union = intersection_and_union(total, protocol.void)
    iou = 100 * iou_from(intersection, union)
    pixels = labelled.sum(axis=1)
    return Score(
        miou=float(mean_of(iou)),
        per_class=dict(zip(evidence.classes, map(float, iou), strict=True)),
        pixel_accuracy=100 * float(iou_from(intersection.sum(), pixels.sum())),
        mean_accuracy=100 * float(mean_of(iou_from(intersection, pixels))),
    )


def bootstrap_interval(evidence: Evidence, protocol: Protocol, settings: Bootstrap) -> Interval:
    """Percentile bootstrap of the mIoU over images, percent.

    The same evidence always gives the same interval, on every machine: the seed is its key,
    RandomState's stream is frozen by NumPy's policy (NEP 19), and sums of integers below
    2**53 are exact in float64 whatever order BLAS adds them in.

    Returns:
        low and high; both NaN when no pixel is labelled.
    """
    images = len(evidence.images)
    if not images:
        return math.nan, math.nan
    intersection, union = _counts_per_image(evidence, protocol.void)
    seed = [int(evidence.key[:8], 16), int(evidence.key[8:], 16)]
    weights = np.random.RandomState(seed).multinomial(
        images, np.full(images, 1 / images), size=settings.resamples
    )
    drawn = mean_of(100 * iou_from(_weighted(weights, intersection), _weighted(weights, union)))
    if np.isnan(drawn).all():
        return math.nan, math.nan
    tail = 50 * (1 - settings.confidence)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return float(low), float(high)


def _counts_per_image(evidence: Evidence, void: Void) -> tuple[Counts, Counts]:
    """Intersection and union, each int64 (images, C)."""
    chunks = [evidence.images[i : i + _CHUNK] for i in range(0, len(evidence.images), _CHUNK)]
    parts = [
        intersection_and_union(dataclasses.replace(evidence, images=chunk).matrices(), void)
        for chunk in chunks
    ]
    return np.concatenate([i for i, _ in parts]), np.concatenate([u for _, u in parts])


def _weighted(weights: Counts, counts: Counts) -> Counts:
    summed: Floats = weights.astype(np.float64) @ counts.astype(np.float64)
    return summed.astype(np.int64)
