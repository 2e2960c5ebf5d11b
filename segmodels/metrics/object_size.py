"""Recall by size of the object: which share of the pixels of small and large things is found.

An object is a connected component (8 neighbours) of one class in the ground truth. Label maps
know no instances: two cars that touch are one object, and a car behind a pole may be two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import VOID, Counts
from segmodels.errors import SegmodelsError

LabelMap = npt.NDArray[np.integer[Any]]

#: Areas in pixels where a size begins: small, medium from 32x32, large from 96x96, as in COCO.
EDGES = (32 * 32, 96 * 96)


class SizeCounts(NamedTuple):
    """Integers that add up over images, each int64 (C, sizes); sizes ascend.

    `right / pixels` (see `metrics.iou_from`) is the recall of a class at a size.
    """

    objects: Counts
    pixels: Counts
    right: Counts


def size_counts(
    label: LabelMap,
    prediction: LabelMap,
    num_classes: int,
    ignore_index: int = VOID,
    edges: tuple[int, ...] = EDGES,
) -> SizeCounts:
    """Objects of one image, their pixels, and the pixels among them that are predicted right.

    Args:
        label: ground truth (H, W), values 0..num_classes-1 or `ignore_index`.
        prediction: (H, W).
        num_classes: number of classes C.
        ignore_index: ground truth value that forms no objects.
        edges: ascending areas in pixels; an object of area a belongs to size i when i of
            them are at most a. There is one size more than edges.

    Raises:
        SegmodelsError: the maps are not two of the same size, a label is out of range, or
            the edges do not ascend.
    """
    if label.ndim != 2 or label.shape != prediction.shape:
        raise SegmodelsError(f"label is {label.shape} but prediction is {prediction.shape}.")
    if list(edges) != sorted(set(edges)):
        raise SegmodelsError(f"the edges of sizes must ascend, not {edges}.")
    found = SizeCounts(*(np.zeros((num_classes, len(edges) + 1), dtype=np.int64) for _ in range(3)))
    for value in map(int, np.unique(label)):
        if value == ignore_index:
            continue
        if not 0 <= value < num_classes:
            raise SegmodelsError(f"label holds {value}, outside the classes 0..{num_classes - 1}.")
        _add_objects(found, value, label == value, prediction == value, edges)
    return found


def _add_objects(
    found: SizeCounts,
    value: int,
    mask: npt.NDArray[np.bool_],
    right: npt.NDArray[np.bool_],
    edges: tuple[int, ...],
) -> None:
    number, component = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(component[mask], minlength=number)[1:]
    hits = np.bincount(component[mask & right], minlength=number)[1:]
    size = np.searchsorted(edges, areas, side="right")
    for counts, amount in zip(found, (np.ones_like(areas), areas, hits), strict=True):
        np.add.at(counts[value], size, amount)
