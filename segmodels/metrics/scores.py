"""From counts to percentages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segmodels.core.arrays import Counts
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence
from segmodels.metrics.iou import intersection_and_union, iou_from, mean_of
from segmodels.protocols.protocol import Protocol

#: Intersection, union and labelled pixels per image, each int64 (images, C).
PerImage = tuple[Counts, Counts, Counts]


@dataclass(frozen=True)
class Score:
    """Scores of counts under one protocol, in percent; NaN where nothing was counted."""

    miou: float
    per_class: dict[str, float]
    pixel_accuracy: float
    mean_accuracy: float


def score(evidence: Evidence, protocol: Protocol) -> Score:
    """mIoU as the protocol defines it; both accuracies always over labelled pixels.

    Raises:
        SegmodelsError: the protocol ignores a class that the evidence does not know.
    """
    total, ignored = evidence.total(), _ignored(evidence, protocol)
    names = scored_classes(evidence, protocol)
    total[-1] += total[ignored].sum(axis=0)
    total[ignored] = 0
    intersection, union = intersection_and_union(total, protocol.void)
    union[ignored] = 0  # what is predicted as an ignored class is a miss, but no class of its own
    iou = 100 * iou_from(intersection, union)
    pixels = total[: len(names)].sum(axis=1)
    return Score(
        miou=float(mean_of(iou)),
        per_class=dict(zip(names, map(float, iou), strict=True)),
        pixel_accuracy=100 * float(iou_from(intersection.sum(), pixels.sum())),
        mean_accuracy=100 * float(mean_of(iou_from(intersection, pixels))),
    )


def scored_classes(evidence: Evidence, protocol: Protocol) -> tuple[str, ...]:
    """Names of the classes that a protocol scores.

    Raises:
        SegmodelsError: void is one of them, and the network has no output for it.
    """
    if protocol.void != "class":
        return tuple(evidence.classes)
    if evidence.outputs <= len(evidence.classes):
        raise SegmodelsError(
            f"protocol {protocol.name!r}: `void: class` needs a network with an output for void "
            f"behind the {len(evidence.classes)} of {evidence.identity.dataset}; this one has "
            f"{evidence.outputs}."
        )
    return (*evidence.classes, "void")


def score_per_image(evidence: Evidence, protocol: Protocol) -> dict[str, float]:
    """mIoU of every image alone, percent, by its name; NaN without labelled pixels.

    For finding images that went wrong. Their mean is not the mIoU of the split.
    """
    intersection, union, _ = counts_per_image(evidence, protocol)
    scores = mean_of(100 * iou_from(intersection, union))
    return dict(zip(evidence.names, map(float, scores), strict=True))


def comparable(evidences: Sequence[Evidence]) -> bool:
    """Whether all of them are about the same images and classes, in the same order."""
    return not any(differing(evidences[0], other) for other in evidences[1:])


def differing(a: Evidence, b: Evidence) -> list[str]:
    """What keeps two pieces of evidence from being compared image by image."""
    pairs = {
        "dataset": (a.identity.dataset, b.identity.dataset),
        "split": (a.identity.split, b.identity.split),
        "fingerprint": (a.identity.fingerprint, b.identity.fingerprint),
        "classes": (a.classes, b.classes),
        "images": (a.names, b.names),
    }
    return [field for field, (one, other) in pairs.items() if one != other]


def _ignored(evidence: Evidence, protocol: Protocol) -> list[int]:
    for name in protocol.ignore_classes:
        if name not in evidence.classes:
            raise SegmodelsError(
                f"protocol {protocol.name!r}: field 'ignore_classes' names {name!r}, which is "
                f"no class of {evidence.identity.dataset}."
            )
    return [evidence.classes.index(name) for name in protocol.ignore_classes]


def counts_per_image(evidence: Evidence, protocol: Protocol) -> PerImage:
    """`intersection_and_union` and labelled pixels of every image, from the cells given."""
    classes, ignored = len(scored_classes(evidence, protocol)), _ignored(evidence, protocol)
    image, cells, unsigned = evidence.sparse
    counts = unsigned.astype(np.int64)
    rows, columns = np.divmod(cells, evidence.outputs)
    labelled = (rows < classes) & ~np.isin(rows, ignored)
    scored = (columns < classes) & ~np.isin(columns, ignored)

    def per_class(chosen: npt.NDArray[np.bool_], of: Counts) -> Counts:
        summed = np.zeros((len(evidence.images), classes), dtype=np.int64)
        np.add.at(summed, (image[chosen], of[chosen]), counts[chosen])
        return summed

    intersection = per_class(labelled & (rows == columns), rows)
    predicted = per_class(scored if protocol.void == "error" else scored & labelled, columns)
    pixels = per_class(labelled, rows)
    return intersection, pixels + predicted - intersection, pixels
