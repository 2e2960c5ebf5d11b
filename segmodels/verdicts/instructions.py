"""What a person must do before a claim can be checked: register, fetch, put it somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from segmodels.assets.entries import (
    DatasetEntry,
    WeightsEntry,
    load_dataset_entries,
    load_weights_entries,
)
from segmodels.claims import Claim
from segmodels.core.settings import MIRROR
from segmodels.verdicts.obstacles import Obstacle, obstacles
from segmodels.verdicts.rules import ObstacleRule, load_rules


def instructions(claim: Claim) -> list[str]:
    """One line per thing that is missing, and lines about how to get it; empty if nothing is."""
    weights = load_weights_entries().get(claim.weights or "")
    dataset = load_dataset_entries().get(claim.dataset)
    found = obstacles(claim, weights, dataset)
    return to_do(found, weights, dataset, load_rules().obstacles)


def to_do(
    found: Iterable[Obstacle],
    weights: WeightsEntry | None,
    dataset: DatasetEntry | None,
    rules: Mapping[str, ObstacleRule],
) -> list[str]:
    """The same for obstacles that are known: a line each, what to do about it indented below."""
    lines: list[str] = []
    for obstacle in found:
        lines.append(f"{obstacle.kind}: {obstacle.text}")
        lines.append(f"  to change that: {rules[obstacle.kind].fix}")
        if obstacle.kind in ("gated data", "no reader") and dataset:
            lines += _about_dataset(dataset)
        if obstacle.kind in ("weights gated", "link lost") and weights:
            lines += _about_weights(weights)
    return lines


def _about_dataset(entry: DatasetEntry) -> Iterator[str]:
    yield f"  {entry.title}, from {entry.source}"
    if entry.registration:
        yield f"  registration: {entry.registration}"
    if entry.licence:
        yield f"  licence: {' '.join(entry.licence.split())}"
    for archive in entry.archives:
        size = f", about {archive.bytes / 1e6:.0f} MB" if archive.bytes else ""
        yield f"  file: {archive.name}{size}, into the folder that {MIRROR} names"
    yield f"  or use a copy where it lies: segmodels data add {entry.name} PATH"


def _about_weights(entry: WeightsEntry) -> Iterator[str]:
    yield f"  published at {entry.source}"
    if entry.licence:
        yield f"  licence: {' '.join(entry.licence.split())}"
    for file in entry.files:
        yield f"  file: {file.name}"
    yield f"  with the file here: segmodels weights add {entry.name} FILE"
