"""From counts to percentages, with an interval that says how much the choice of images matters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence
from segmodels.files import digest
from segmodels.metrics import Counts, Floats, intersection_and_union, iou_from, mean_of
from segmodels.protocols import Protocol

Interval = tuple[float, float]

#: Intersection and union per image, each int64 (images, C).
PerImage = tuple[Counts, Counts]

_CHUNK = 256  # resamples drawn at once: 10 000 of 2000 images would need 160 MB


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
    """mIoU as the protocol defines it; both accuracies always over labelled pixels.

    Raises:
        SegmodelsError: the protocol ignores a class that the evidence does not know.
    """
    total, ignored = evidence.total(), _ignored(evidence, protocol)
    total[-1] += total[ignored].sum(axis=0)
    total[ignored] = 0
    intersection, union = intersection_and_union(total, protocol.void)
    union[ignored] = 0  # what is predicted as an ignored class is a miss, but no class of its own
    iou = 100 * iou_from(intersection, union)
    pixels = total[:-1].sum(axis=1)
    return Score(
        miou=float(mean_of(iou)),
        per_class=dict(zip(evidence.classes, map(float, iou), strict=True)),
        pixel_accuracy=100 * float(iou_from(intersection.sum(), pixels.sum())),
        mean_accuracy=100 * float(mean_of(iou_from(intersection, pixels))),
    )


def score_per_image(evidence: Evidence, protocol: Protocol) -> dict[str, float]:
    """mIoU of every image alone, percent, by its name; NaN without labelled pixels.

    For finding images that went wrong. Their mean is not the mIoU of the split.
    """
    scores = mean_of(100 * iou_from(*_counts_per_image(evidence, protocol)))
    names = (image.image for image in evidence.images)
    return dict(zip(names, map(float, scores), strict=True))


def bootstrap_interval(evidence: Evidence, protocol: Protocol, settings: Bootstrap) -> Interval:
    """Percentile bootstrap of the mIoU over images, percent.

    The same evidence always gives the same interval, on every machine: the seed is its key,
    RandomState's stream is frozen by NumPy's policy (NEP 19), and sums of integers below
    2**53 are exact in float64 whatever order BLAS adds them in.

    Returns:
        low and high; both NaN when no pixel is labelled.
    """
    counts = _counts_per_image(evidence, protocol)
    (drawn,) = _resampled([counts], _seed(evidence.key), settings.resamples)
    return _percentiles(drawn, settings.confidence)


def mean_interval(
    evidences: Sequence[Evidence], protocol: Protocol, settings: Bootstrap
) -> Interval:
    """Percentile bootstrap over images of the mean mIoU of several models, percent.

    Args:
        evidences: of one model, or of several seeds on the same images.
        protocol: how the counts become a score.
        settings: of the bootstrap.

    Returns:
        low and high; both NaN when no pixel is labelled.

    Raises:
        SegmodelsError: they did not see the same images and classes.
    """
    first, *others = evidences
    if not others:
        return bootstrap_interval(first, protocol, settings)
    for other in others:
        _check_same_images(first, other)
    seed = _seed(digest(sorted(evidence.key for evidence in evidences)))
    counts = [_counts_per_image(evidence, protocol) for evidence in evidences]
    drawn = _resampled(counts, seed, settings.resamples)
    return _percentiles(np.mean(drawn, axis=0), settings.confidence)


def paired_bootstrap(a: Evidence, b: Evidence, protocol: Protocol, settings: Bootstrap) -> Interval:
    """Percentile bootstrap of mIoU(a) - mIoU(b) over images, percentage points.

    Every resample draws the same images for both, so that images which are easy or hard for
    everybody cancel: two models whose own intervals overlap can still differ for certain.
    Exchanging a and b exchanges and negates the ends.

    Args:
        a: one model's evidence.
        b: the other's, on the same images; the inference may differ.
        protocol: how the counts of both become a score.
        settings: of the bootstrap.

    Returns:
        low and high; both NaN when no pixel is labelled.

    Raises:
        SegmodelsError: the two did not see the same images and classes.
    """
    _check_same_images(a, b)
    counts = [_counts_per_image(one, protocol) for one in (a, b)]
    first, second = _resampled(counts, paired_seed(a, b), settings.resamples)
    return _percentiles(first - second, settings.confidence)


def kept(clean: Evidence, disturbed: Sequence[Evidence], protocol: Protocol) -> float:
    """Share of the clean mIoU that is left, averaged over disturbances of the same images.

    Args:
        clean: evidence with its images; those that were disturbed are taken.
        disturbed: one piece of evidence per condition.
        protocol: how counts become a score.
    """
    shares = []
    for evidence in disturbed:
        intact = score(_first_images(clean, evidence), protocol).miou
        shares.append(score(evidence, protocol).miou / intact)
    return float(np.mean(shares))


def paired_kept(
    a: tuple[Evidence, Sequence[Evidence]],
    b: tuple[Evidence, Sequence[Evidence]],
    protocol: Protocol,
    settings: Bootstrap,
) -> Interval:
    """Percentile bootstrap over images of kept(a) - kept(b), a share (0..1).

    Every resample draws the same images for both models, clean and under every condition.

    Args:
        a: one model's clean evidence and its disturbed copies, all over the same first images.
        b: the other's, under the same conditions in the same order.
        protocol: how the counts become a score.
        settings: of the bootstrap.

    Raises:
        SegmodelsError: two of them did not see the same images and classes.
    """
    first = a[1][0]
    sides = [[_first_images(clean, first), *copies] for clean, copies in (a, b)]
    everything = [evidence for side in sides for evidence in side]
    for evidence in everything:
        _check_same_images(first, evidence)
    counts = [_counts_per_image(evidence, protocol) for evidence in everything]
    drawn = _resampled(counts, paired_seed(a[0], b[0]), settings.resamples)
    middle = len(sides[0])
    shares = [
        np.mean([one / clean for one in copies], axis=0)
        for clean, *copies in (drawn[:middle], drawn[middle:])
    ]
    return _percentiles(shares[0] - shares[1], settings.confidence)


def _first_images(clean: Evidence, disturbed: Evidence) -> Evidence:
    return dataclasses.replace(clean, images=clean.images[: len(disturbed.images)])


def paired_seed(a: Evidence, b: Evidence) -> list[int]:
    """Seed of a paired bootstrap, the same whichever comes first."""
    return _seed(digest(sorted((a.key, b.key))))


def _seed(key: str) -> list[int]:
    return [int(key[:8], 16), int(key[8:16], 16)]


def comparable(evidences: Sequence[Evidence]) -> bool:
    """Whether all of them are about the same images and classes, in the same order."""
    return not any(_differing(evidences[0], other) for other in evidences[1:])


def _check_same_images(a: Evidence, b: Evidence) -> None:
    if differing := _differing(a, b):
        raise SegmodelsError(
            f"evidence {a.key} and {b.key} cannot be compared image by image: "
            f"their {differing[0]} differ."
        )


def _differing(a: Evidence, b: Evidence) -> list[str]:
    """What keeps two pieces of evidence from being compared image by image."""
    pairs = {
        "dataset": (a.identity.dataset, b.identity.dataset),
        "split": (a.identity.split, b.identity.split),
        "fingerprint": (a.identity.fingerprint, b.identity.fingerprint),
        "classes": (a.classes, b.classes),
        "images": tuple(tuple(image.image for image in one.images) for one in (a, b)),
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


def _counts_per_image(evidence: Evidence, protocol: Protocol) -> PerImage:
    """`intersection_and_union` of every image, from the cells that are not zero."""
    classes, ignored = len(evidence.classes), _ignored(evidence, protocol)
    image = np.repeat(np.arange(len(evidence.images)), [len(i.cells) for i in evidence.images])
    cells = np.array([cell for i in evidence.images for cell in i.cells], dtype=np.int64)
    counts = np.array([count for i in evidence.images for count in i.counts], dtype=np.int64)
    rows, columns = np.divmod(cells, evidence.outputs)
    labelled = (rows < classes) & ~np.isin(rows, ignored)
    scored = (columns < classes) & ~np.isin(columns, ignored)

    def per_class(chosen: npt.NDArray[np.bool_], of: Counts) -> Counts:
        summed = np.zeros((len(evidence.images), classes), dtype=np.int64)
        np.add.at(summed, (image[chosen], of[chosen]), counts[chosen])
        return summed

    intersection = per_class(labelled & (rows == columns), rows)
    predicted = per_class(scored if protocol.void == "error" else scored & labelled, columns)
    return intersection, per_class(labelled, rows) + predicted - intersection


def _resampled(evidences: Sequence[PerImage], seed: list[int], resamples: int) -> list[Floats]:
    """mIoU (percent) of every resample of the images, the same images for each evidence."""
    images = len(evidences[0][0])
    if not images:
        return [np.full(resamples, np.nan) for _ in evidences]
    generator = np.random.RandomState(seed)
    share = np.full(images, 1 / images)
    exact = [tuple(counts.astype(np.float64) for counts in pair) for pair in evidences]
    drawn = []
    for start in range(0, resamples, _CHUNK):  # chunks continue one stream
        number = min(_CHUNK, resamples - start)
        weights = generator.multinomial(images, share, size=number).astype(np.float64)
        drawn.append([mean_of(100 * _iou(weights @ i, weights @ u)) for i, u in exact])
    return [np.concatenate(one) for one in zip(*drawn, strict=True)]


def _iou(intersection: Floats, union: Floats) -> Floats:
    return iou_from(intersection.astype(np.int64), union.astype(np.int64))


def _percentiles(drawn: Floats, confidence: float) -> Interval:
    if np.isnan(drawn).all():
        return math.nan, math.nan
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
