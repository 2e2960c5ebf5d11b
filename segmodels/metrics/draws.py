"""What a number becomes when a script draws its images with replacement.

Some scripts do not go through a split once but draw batches from it, without a seed: their number
is one draw. The distribution of such draws follows from the counts of every image, so nothing has
to be run again. It is drawn by a generator with a fixed seed and is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segmodels.evidence import Evidence
from segmodels.metrics.iou import iou_from, mean_of
from segmodels.metrics.scores import counts_per_image
from segmodels.protocols.protocol import Protocol

#: Draws of a distribution; its ends then move by less than 0.1 points.
REPEATS = 2000
_SEED = 0


@dataclass(frozen=True)
class Draws:
    """mIoU of many draws, percent.

    Attributes:
        drawn: images in a draw.
        repeats: draws.
        low, middle, high: below them lie 2.5, 50 and 97.5 % of the draws.
    """

    drawn: int
    repeats: int
    low: float
    middle: float
    high: float


def draws_of(evidence: Evidence, protocol: Protocol) -> Draws | None:
    """The distribution for the number of images that a protocol says; None where it says none.

    Args:
        evidence: whole, with the counts of every image.
        protocol: its `images_drawn`; intersections and unions are summed over a draw.
    """
    if protocol.images_drawn is None or not evidence.images:
        return None
    intersection, union, _ = counts_per_image(evidence, protocol)
    number = len(evidence.images)
    random = np.random.default_rng(_SEED)
    times = random.multinomial(protocol.images_drawn, np.full(number, 1 / number), size=REPEATS)
    scores = 100 * mean_of(iou_from(times @ intersection, times @ union))
    low, middle, high = np.nanquantile(scores, (0.025, 0.5, 0.975))
    return Draws(protocol.images_drawn, REPEATS, *(round(float(v), 2) for v in (low, middle, high)))
