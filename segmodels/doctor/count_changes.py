"""How the counts of two pieces of evidence differ: images, pixels, classes, scores."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segmodels.doctor.locate import Side, protocols
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, ImageCounts
from segmodels.evidence.adding import alike, sizes_of
from segmodels.metrics.averages import averages
from segmodels.metrics.intervals import Interval, IntervalRule, over, paired_interval
from segmodels.metrics.scores import score, score_per_image
from segmodels.protocols.protocol import Protocol

#: Classes named on either side of a list.
_NAMED = 3

#: Pixels by (row, column), which does not depend on the number of outputs as cells do.
Cells = Counter[tuple[int, int]]


@dataclass(frozen=True)
class LabelChanges:
    """How many pixels got another label, over the images that both have.

    Attributes:
        images: names of the images whose counts differ.
        pixels: that got another label at least; within an image, opposite changes cancel.
        of: pixels of all compared images.
    """

    images: tuple[str, ...]
    pixels: int
    of: int


def apart(a: Evidence, b: Evidence) -> str:
    """Why nothing can be said of the images of both, though they have some; empty if it can."""
    if a.names == b.names or not (a.blocks or b.blocks):
        return ""
    return "sums of blocks of images, and the two are of other images"


def shared(a: Evidence, b: Evidence) -> tuple[Evidence, Evidence]:
    """Both with only the images that both have by name, in a's order; in blocks if one is.

    Raises:
        SegmodelsError: blocks keep it from being told which counts are of these (see `apart`).
    """
    if a.names == b.names:
        one, other = alike([a, b])
        return one, other
    if why := apart(a, b):
        raise SegmodelsError(f"evidence {a.key} and {b.key} cannot be compared: {why}.")
    ours, theirs = ({image.image: image for image in one.images} for one in (a, b))
    names = [name for name in ours if name in theirs]
    return (
        dataclasses.replace(a, images=tuple(ours[name] for name in names)),
        dataclasses.replace(b, images=tuple(theirs[name] for name in names)),
    )


def label_changes(a: Evidence, b: Evidence) -> LabelChanges:
    """Compare cell by cell; both have the same images and classes (see `shared`)."""
    differing, changed, total = [], 0, 0
    for one, other in zip(a.images, b.images, strict=True):
        before, after = _cells(one, a.outputs), _cells(other, b.outputs)
        total += before.total()
        if before != after:
            differing.append(one.image)
            changed += max((after - before).total(), (before - after).total())
    return LabelChanges(tuple(differing), changed, total)


def other_truths(a: Evidence, b: Evidence) -> dict[str, dict[str, int]]:
    """Images whose ground truth differs: by name, the pixels each class has more of in b."""
    found = {}
    names = (*a.classes, "void")
    for one, other in zip(a.images, b.images, strict=True):
        change = _rows(other, b.outputs)
        change.subtract(_rows(one, a.outputs))
        if any(change.values()):
            found[one.image] = {names[row]: more for row, more in sorted(change.items()) if more}
    return found


def class_changes(a: Evidence, b: Evidence, protocol: Protocol) -> tuple[list[str], list[str]]:
    """The classes whose IoU gains most from a to b, and those that lose most, with points."""
    before, after = (score(one, protocol).per_class for one in (a, b))
    known = (name for name in before if not math.isnan(after[name] - before[name]))
    changes = sorted((after[name] - before[name], name) for name in known)
    named = [(change, f"{name} {change:+.2f}") for change, name in changes]
    gaining = [text for change, text in reversed(named) if change > 0][:_NAMED]
    return gaining, [text for change, text in named if change < 0][:_NAMED]


def image_changes(a: Evidence, b: Evidence, protocol: Protocol) -> list[str]:
    """The images whose own mIoU changes most from a to b, with points."""
    before, after = (score_per_image(one, protocol) for one in (a, b))
    changes = {name: after[name] - before[name] for name in before}
    known = [name for name, change in changes.items() if change and not math.isnan(change)]
    largest = sorted(known, key=lambda name: -abs(changes[name]))[:_NAMED]
    return [f"{name} {changes[name]:+.2f}" for name in largest]


def paired(a: Evidence, b: Evidence, protocol: Protocol, rule: IntervalRule) -> Interval | None:
    """Interval of mIoU(b) - mIoU(a); None where the two did not see the same images."""
    one, other = a.identity, b.identity
    same = (one.dataset, one.split, one.fingerprint) == (
        other.dataset,
        other.split,
        other.fingerprint,
    )
    if not same or a.classes != b.classes or not a.images:
        return None
    return paired_interval(b, a, protocol, rule)


def things(evidence: Evidence) -> str:
    """What counts are of: images, or blocks of them, each named by its first."""
    return "blocks of images" if evidence.blocks else "images"


def of_all(evidence: Evidence) -> str:
    """How many there are: `233 images`, `12 blocks of images`."""
    return f"{len(sizes_of(evidence))} {things(evidence)}"


def listed(names: Sequence[str]) -> str:
    """The first few of many names."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _cells(image: ImageCounts, outputs: int) -> Cells:
    return Counter(dict(_places(image, outputs)))


def _rows(image: ImageCounts, outputs: int) -> Counter[int]:
    rows: Counter[int] = Counter()
    for (row, _), pixels in _places(image, outputs):
        rows[row] += pixels
    return rows


def _places(image: ImageCounts, outputs: int) -> Iterator[tuple[tuple[int, int], int]]:
    for cell, pixels in zip(image.cells, image.counts, strict=True):
        yield divmod(cell, outputs), pixels


def numbers(a: Side, b: Side, rule: IntervalRule) -> list[str]:
    """Lines about the counts of both: mIoU, paired interval, classes, images.

    Args:
        a, b: the two sides, each scored by its own protocol (see `protocols`).
        rule: of the paired interval.
    """
    one, other = protocols(a, b)
    values = [score(side.evidence, p).miou for side, p in ((a, one), (b, other))]
    how = f"scored as {one.name} and {other.name}" if one != other else f"scored as {one.name}"
    change = values[1] - values[0]
    scores = [f"mIoU {values[0]:.2f} in A, {values[1]:.2f} in B: {change:+.2f} points ({how})"]
    if a.evidence.classes != b.evidence.classes:
        return [*scores, "other classes: two numbers that cannot be compared"]
    lines = [*_otherwise("A", a, one), *_otherwise("B", b, other)]
    return [*scores, *_paired(a.evidence, b.evidence, one, rule), *lines]


def _otherwise(letter: str, side: Side, protocol: Protocol) -> Iterator[str]:
    """The same counts in other averages: a printed number may be one of these."""
    found = averages(side.evidence, protocol).items()
    known = [f"{name} {value:.2f}" for name, value in found if not math.isnan(value)]
    if known:
        yield f"the counts of {letter} averaged otherwise: {', '.join(known)}"


def _paired(a: Evidence, b: Evidence, protocol: Protocol, rule: IntervalRule) -> Iterator[str]:
    if why := apart(a, b):
        yield f"no paired interval: {why}"
        return
    common = shared(a, b)
    interval = paired(*common, protocol, rule)
    number = len(common[0].images)
    if interval is None:
        yield "no paired interval: the two did not see the same images"
        return
    before, after = (score(one, protocol).miou for one in common)
    units = over(common[:1], rule)
    interval_text = (
        f"paired {rule.confidence:.0%} interval {interval[0]:+.2f} to {interval[1]:+.2f}"
    )
    yield (
        f"on the {number} images of both, scored as {protocol.name}: {after - before:+.2f} points, "
        + (
            f"no interval over {units}"
            if math.isnan(interval[0])
            else f"{interval_text} over {units}"
        )
    )
    gaining, losing = class_changes(*common, protocol)
    if gaining or losing:
        yield f"classes that gain: {', '.join(gaining) or 'none'}"
        yield f"classes that lose: {', '.join(losing) or 'none'}"
    if changed := image_changes(*common, protocol):
        yield f"{things(common[0])} that change most: {', '.join(changed)}"
