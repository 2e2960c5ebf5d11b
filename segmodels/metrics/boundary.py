"""Boundary IoU (Cheng et al., CVPR 2021, arXiv 2103.16562): IoU inside a band along contours.

Mask IoU is carried by the inside of large regions; here only pixels close to the contour of
their own region count, in the ground truth and in the prediction alike.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import VOID, Counts
from segmodels.errors import SegmodelsError

LabelMap = npt.NDArray[np.integer[Any]]

#: Width of the band as a share of the image diagonal (the value of the paper).
SHARE = 0.02


def band_width(height: int, width: int, share: float = SHARE) -> int:
    """Width of the band in pixels: a share of the diagonal, rounded, at least 1."""
    return max(1, round(share * math.hypot(height, width)))


def boundary_counts(
    label: LabelMap,
    prediction: LabelMap,
    num_classes: int,
    ignore_index: int = VOID,
    share: float = SHARE,
) -> tuple[Counts, Counts]:
    """Intersection and union of the bands of one image, per class.

    Void ground truth bounds the regions beside it, and its own pixels are left out of both
    sums. Counts of several images add up; `metrics.iou_from` and `mean_of` make them a score.

    Args:
        label: ground truth (H, W), values 0..num_classes-1 or `ignore_index`.
        prediction: (H, W), values 0..num_classes-1.
        num_classes: number of classes C.
        ignore_index: ground truth value whose pixels are left out.
        share: width of the band as a share of the image diagonal.

    Returns:
        intersection and union, each int64 (C,).

    Raises:
        SegmodelsError: the maps are not two of the same size, or hold too large values.
    """
    if label.ndim != 2 or label.shape != prediction.shape:
        raise SegmodelsError(f"label is {label.shape} but prediction is {prediction.shape}.")
    height, width = label.shape
    reach = band_width(height, width, share)
    judged = label != ignore_index
    true = judged & band(label, reach)
    guessed = judged & band(prediction, reach)
    both = true & guessed & (label == prediction)
    intersection = _per_class("label", label[both], num_classes)
    union = _per_class("label", label[true], num_classes) - intersection
    return intersection, union + _per_class("prediction", prediction[guessed], num_classes)


def band(labels: LabelMap, width: int) -> npt.NDArray[np.bool_]:
    """Pixels at most `width` pixels (chessboard distance) from the end of their own region.

    The image border ends a region, as in the authors' code, which erodes every mask with a
    3x3 square `width` times. Eroding all classes at once: a pixel survives where the smallest
    and the largest label of the square around it are the same.

    Returns:
        bool, shape of `labels`.
    """
    if labels.size and not -(2**15) <= int(labels.min()) <= int(labels.max()) < 2**15:
        raise SegmodelsError("labels must lie within 16 bits to find their contours.")
    square = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    small = labels.astype(np.int16)
    found = np.asarray(cv2.erode(small, square) != cv2.dilate(small, square), dtype=np.bool_)
    found[:width] = found[-width:] = True
    found[:, :width] = found[:, -width:] = True
    return found


def _per_class(what: str, values: LabelMap, num_classes: int) -> Counts:
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < num_classes:
        raise SegmodelsError(f"{what} holds values outside the classes 0..{num_classes - 1}.")
    return np.bincount(values, minlength=num_classes).astype(np.int64)
