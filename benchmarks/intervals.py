"""How often intervals hold the number they are about, and how long blocks of frames must be.

    python benchmarks/intervals.py [--rounds 1000]

The first table draws small test sets from a made-up world in which some classes are rare, and
counts how often the interval of each way holds the mIoU of the whole world (95 % are promised). The
second takes the committed counts of ESPNet on CamVid's test split and makes blocks longer and
longer: where the interval stops growing, blocks are long enough. docs/verdicts.md has both.

Ways: `percentiles` of units drawn with replacement, a vanished class out of the mean (rules 2);
`fixed classes`: the same with the IoU of all units for a vanished class; `left out`: what this
project does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from segmodels.assets.groups import Grouping, units_of
from segmodels.core.settings import project_root
from segmodels.evidence import Evidence, Identity, ImageCounts, find_evidence
from segmodels.metrics.intervals import Interval, IntervalRule, miou_interval
from segmodels.metrics.iou import intersection_and_union, iou_from, mean_of
from segmodels.protocols.protocol import Protocol
from segmodels.protocols.reading import load_protocol

PLAIN, RULE = Protocol(name="plain", version=1, title="plain"), IntervalRule(confidence=0.95)
#: By title: how many units, and in what share of them each class occurs.
WORLDS = {
    "8 blocks, 4 of 11 classes in 3 to 6 of 10": (8, (*[1] * 7, 0.6, 0.4, 0.3, 0.3)),
    "12 blocks, 4 of 11 classes in 3 to 6 of 10": (12, (*[1] * 7, 0.6, 0.4, 0.3, 0.3)),
    "25 blocks, 4 of 11 classes in 3 to 6 of 10": (25, (*[1] * 7, 0.6, 0.4, 0.3, 0.3)),
    "200 images, 6 of 12 classes in 1 to 5 of 100": (
        200,
        (1, 0.9, 0.5, 0.5, 0.2, 0.1, 0.05, 0.03, 0.02, 0.02, 0.015, 0.015),
    ),
}


def draw(number: int, presence: tuple[float, ...], random: np.random.RandomState) -> Any:
    """int64 (number, classes + 1, classes): confusions go to the first class and come from it."""
    classes = len(presence)
    quality = np.linspace(0.9, 0.3, classes)
    size = np.exp(random.normal(0, 0.8, (number, classes))) * 1000
    size *= random.random_sample((number, classes)) < presence
    right = size * random.beta(6 * quality, 6 * (1 - quality), (number, classes))
    counts = np.zeros((number, classes + 1, classes), np.int64)
    counts[:, range(classes), range(classes)] = right
    counts[:, range(1, classes), 0] = (size - right)[:, 1:]
    counts[:, 0, 1:] = np.exp(random.normal(0, 1, (number, classes - 1))) * 20
    return counts


def left_out(counts: Any, random: np.random.RandomState) -> Interval:
    """This project's interval."""
    del random
    identity = Identity(
        "a" * 64, {}, {}, "toy", "val", "0" * 64, PLAIN.inference, None, None, "fp32", 1
    )
    images = tuple(ImageCounts.from_matrix(str(i), matrix) for i, matrix in enumerate(counts))
    names = tuple(map(str, range(counts.shape[2])))
    evidence = Evidence(identity, names, len(names), len(images), {}, {}, images)
    return miou_interval(evidence, PLAIN, RULE)


def percentiles(counts: Any, random: np.random.RandomState) -> Interval:
    """Units drawn with replacement; a class that vanishes leaves the mean."""
    return _middle(mean_of(_drawn_iou(counts, random)[0]))


def fixed_classes(counts: Any, random: np.random.RandomState) -> Interval:
    """The same, but a class that vanishes keeps the IoU of all units."""
    drawn, gone = _drawn_iou(counts, random)
    whole = 100 * iou_from(*intersection_and_union(counts.sum(axis=0)))
    return _middle(mean_of(np.where(gone, whole, drawn)))


def _drawn_iou(counts: Any, random: np.random.RandomState) -> tuple[Any, Any]:
    number, classes = len(counts), counts.shape[1] - 1
    weights = random.multinomial(number, np.full(number, 1 / number), size=1000)
    flat = weights.astype(float) @ counts.reshape(number, -1)
    drawn = flat.astype(np.int64).reshape(-1, *counts.shape[1:])
    iou = 100 * iou_from(*intersection_and_union(drawn))
    return iou, drawn[:, :classes].sum(axis=2) == 0


def _middle(scores: Any) -> Interval:
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


WAYS: dict[str, Callable[[Any, np.random.RandomState], Interval]] = {
    "percentiles": percentiles,
    "fixed classes": fixed_classes,
    "left out": left_out,
}


def coverage(title: str, rounds: int) -> dict[str, float]:
    """Share of made-up test sets whose interval holds the mIoU of the world, by way."""
    number, presence = WORLDS[title]
    random = np.random.RandomState(number)
    world = 100 * iou_from(
        *intersection_and_union(sum(draw(10_000, presence, random).sum(axis=0) for _ in range(20)))
    )
    held = dict.fromkeys(WAYS, 0)
    for _ in range(rounds):
        counts = draw(number, presence, random)
        shown = counts[:, : len(presence)].sum(axis=(0, 2)) > 0
        target = float(world[shown].mean())
        for name, way in WAYS.items():
            low, high = way(counts[..., shown][:, [*np.flatnonzero(shown), -1]], random)
            held[name] += low <= target <= high
    return {name: times / rounds for name, times in held.items()}


def blocks(evidence: Evidence, protocol: Protocol, lengths: list[int]) -> None:
    """Intervals of real counts in longer and longer blocks."""
    names = [image.image for image in evidence.images]
    random = np.random.RandomState(0)
    for length in lengths:
        grouping = Grouping(kind="sequence", pattern="([^_]+)_", block=length)
        units = units_of(names, grouping)
        counts = np.zeros((units.number, *evidence.total().shape), np.int64)
        np.add.at(counts, list(units.places), evidence.matrices())
        ours = miou_interval(
            evidence, protocol, IntervalRule(confidence=0.95, groups={"camvid": grouping})
        )
        drawn = percentiles(counts, random)
        print(
            f"{units.words}: left out {ours[0]:.1f} to {ours[1]:.1f}, "
            f"percentiles {drawn[0]:.1f} to {drawn[1]:.1f}"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    chosen = parser.parse_args()
    for title in WORLDS:
        held = coverage(title, chosen.rounds)
        print(f"{title}: " + ", ".join(f"{name} {share:.0%}" for name, share in held.items()))
    evidence = next(iter(find_evidence(project_root() / "reports" / "evidence" / "camvid-espnet")))
    blocks(evidence, load_protocol("camvid-whole"), [1, 5, 10, 15, 20, 30, 40])


if __name__ == "__main__":
    main()
