"""Metrics: from counts to percentages, with an interval that says how far to trust them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segmodels.core.lazy import lazily

if TYPE_CHECKING:
    from segmodels.metrics.iou import (
        intersection_and_union,
        iou_per_class,
        mean_accuracy,
        mean_iou,
        pixel_accuracy,
    )
    from segmodels.metrics.scores import score

_HOMES = {
    "intersection_and_union": "iou",
    "iou_per_class": "iou",
    "mean_accuracy": "iou",
    "mean_iou": "iou",
    "pixel_accuracy": "iou",
    "score": "scores",
}

__all__ = [
    "intersection_and_union",
    "iou_per_class",
    "mean_accuracy",
    "mean_iou",
    "pixel_accuracy",
    "score",
]

__getattr__ = lazily(__name__, _HOMES)
