"""Differences between two pieces of evidence, along the chain from weights to number.

Every stage is compared, because the first difference need not be what changed the number; it is
only where to look first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segmodels.doctor.count_changes import (
    apart,
    label_changes,
    listed,
    of_all,
    other_truths,
    shared,
)
from segmodels.doctor.locate import Side, protocols
from segmodels.evidence import Evidence, images_asked
from segmodels.evidence.adding import same_counts
from segmodels.protocols.fields import EFFECTS
from segmodels.protocols.protocol import Protocol

_MISSING = "(absent)"


@dataclass(frozen=True)
class StageDifference:
    """One thing that differs: where in the chain, both values, and what it means or the fix."""

    stage: str
    text: str


def differences(a: Side, b: Side) -> list[StageDifference]:
    """All that differs, in the order of `STAGES`; empty for equal evidence."""
    return [
        StageDifference(name, text) for name, compare in STAGES.items() for text in compare(a, b)
    ]


def _weights(a: Side, b: Side) -> Iterator[str]:
    one, other = (side.evidence.identity.weights for side in (a, b))
    if one == other:
        return
    origins = [side.evidence.weights_origin for side in (a, b)]
    names = " and ".join(
        f"{w[:12]}… ({_values(o)})" for w, o in zip((one, other), origins, strict=True)
    )
    if origins[0] == origins[1] and "released" in origins[0]:
        why = "One name, two files: fetch them again; params/weights.yaml lists the right sha256."
    else:
        why = "These are two models: nothing below can be charged to the protocol alone."
    yield f"sha256 {names}. {why}"


def _model(a: Side, b: Side) -> Iterator[str]:
    why = "It builds another network; the config beside the weights says which is right."
    yield from _fields(a.evidence.identity.model, b.evidence.identity.model, why)


def _preprocessing(a: Side, b: Side) -> Iterator[str]:
    why = "The network sees other colours than one of them was trained on; use its training's."
    one, other = (side.evidence.identity.preprocessing for side in (a, b))
    yield from _fields(one, other, why)


def _dataset(a: Side, b: Side) -> Iterator[str]:
    one, other = a.evidence.identity, b.evidence.identity
    if one.dataset != other.dataset:
        yield f"{one.dataset} and {other.dataset}: two data sets, two numbers."
    elif one.split == other.split and one.fingerprint != other.fingerprint:
        yield (
            f"fingerprints {one.fingerprint[:12]}… and {other.fingerprint[:12]}…: images or labels "
            f"decode differently (another copy, JPEG decoder or label encoding; the stage labels "
            f"tells which). Look at both copies: segmodels data check {one.dataset}"
        )


def _split(a: Side, b: Side) -> Iterator[str]:
    one, other = a.evidence.identity.split, b.evidence.identity.split
    if one != other:
        yield f"{one} and {other}: other images. Compare evidence of one split."


def _images(a: Side, b: Side) -> Iterator[str]:
    for letter, side in (("A", a), ("B", b)):
        if len(side.evidence.images) < images_asked(side.evidence):
            yield f"{letter} lacks images that were asked for. Run: segmodels evaluate {side.run}"
    names = [side.evidence.names for side in (a, b)]
    theirs = [set(names[1]), set(names[0])]
    only = [[n for n in ours if n not in seen] for ours, seen in zip(names, theirs, strict=True)]
    for letter, lone in zip("AB", only, strict=True):
        if lone:
            yield f"{len(lone)} images are in {letter} alone: {listed(lone)}. {_why_fewer(a, b)}"
    if names[0] != names[1] and not any(only):
        yield "the same images in another order: the numbers are equal, the intervals need not be."
    if a.evidence.identity.images != b.evidence.identity.images:
        limits = " and ".join(_limit(side) for side in (a, b))
        yield f"asked for {limits}. A part of a split has another mIoU than the whole."


def _why_fewer(a: Side, b: Side) -> str:
    if a.evidence.shard or b.evidence.shard:
        return "One is a shard: segmodels evidence merge."
    if a.evidence.skipped != b.evidence.skipped:
        return "Images that could not be read were left out of one (field 'skipped')."
    return "Compare on the same images, or count the rest."


def _limit(side: Side) -> str:
    number = side.evidence.identity.images
    return "all images" if number is None else f"the first {number}"


def _labels(a: Side, b: Side) -> Iterator[str]:
    classes = [side.evidence.classes for side in (a, b)]
    if classes[0] != classes[1]:
        for letter, (ours, theirs) in zip("AB", (classes, classes[::-1]), strict=True):
            if lone := [name for name in ours if name not in theirs]:
                yield f"{len(lone)} classes are in {letter} alone: {listed(lone)}."
        yield f"the class lists ({len(classes[0])} and {len(classes[1])}) differ: other metrics."
        return
    if why := apart(a.evidence, b.evidence):
        yield f"not compared: {why}. Count both of the same images."
        return
    common = shared(a.evidence, b.evidence)
    if truths := other_truths(*common):
        name, change = next(iter(truths.items()))
        pixels = listed([f"{label} {more:+d}" for label, more in change.items()])
        yield (
            f"{len(truths)} of {of_all(common[0])} have another truth (first {name}: "
            f"{pixels} pixels). Labels were written, resized or read in another way: "
            f"segmodels data check {a.evidence.identity.dataset}"
        )


def _inference(a: Side, b: Side) -> Iterator[str]:
    one, other = (_complete(side.evidence.identity.inference) for side in (a, b))
    for name in (*EFFECTS, *sorted((one.keys() | other.keys()) - EFFECTS.keys())):
        if name in one | other and one.get(name) != other.get(name):
            yield f"{name} is {one.get(name)} in A, {other.get(name)} in B. {EFFECTS.get(name, '')}"


def _complete(inference: Mapping[str, Any]) -> dict[str, Any]:
    """All fields, those included that evidence leaves out because they are at their default."""
    usual = Protocol(name="usual", version=1, title="usual")
    named = EFFECTS.keys() - {"precision", *usual.scoring}
    return {**{name: usual.to_dict()[name] for name in named}, **inference}


def _condition(a: Side, b: Side) -> Iterator[str]:
    one, other = a.evidence.identity.condition, b.evidence.identity.condition
    if one != other:
        both = " in A, ".join(
            _values(condition) if condition else "clean" for condition in (one, other)
        )
        yield f"{both} in B. Images or weights were disturbed on purpose: compare clean with clean."


def _precision(a: Side, b: Side) -> Iterator[str]:
    one, other = a.evidence.identity.precision, b.evidence.identity.precision
    if one != other:
        yield f"{one} in A, {other} in B. {EFFECTS['precision']}"


def _evaluator(a: Side, b: Side) -> Iterator[str]:
    one, other = (side.evidence.identity.evaluator for side in (a, b))
    if one != other:
        older = a if one < other else b
        yield (
            f"{one} in A, {other} in B: the code between image and counts changed; CHANGELOG.md "
            f"says how. Count the older again: segmodels evaluate {older.run} --force"
        )


def _software(a: Side, b: Side) -> Iterator[str]:
    one, other = (
        {k: v for k, v in side.evidence.software.items() if k != "evaluator"} for side in (a, b)
    )
    why = "Another kernel or decoder flips single pixels along borders, seldom more."
    yield from _fields(one, other, why)


def _counts(a: Side, b: Side) -> Iterator[str]:
    if a.evidence.classes != b.evidence.classes:
        return  # `labels` reports it: cells of other classes cannot be set against each other
    if why := apart(a.evidence, b.evidence):
        yield f"not compared: {why}. Count both of the same images."
        return
    common = shared(a.evidence, b.evidence)
    found = label_changes(*common)
    if found.images:
        yield (
            f"{len(found.images)} of {of_all(common[0])} differ ({listed(found.images)}); at least"
            f" {found.pixels:,} of {found.of:,} pixels moved "
            f"({found.pixels / max(found.of, 1):.4%}). {_why_changed(a, b)}"
        )
    elif common[0].blocks and _other_images_inside(a.evidence, b.evidence):
        yield (
            f"the sums of {of_all(common[0])} are equal, the counts of single images that they are "
            f"of are not (field 'blocks.images_sha256'). {_why_changed(a, b)}"
        )


def _other_images_inside(a: Evidence, b: Evidence) -> bool:
    """Whether blocks with the same sums were added up from other counts of their images."""
    return a.outputs == b.outputs and not same_counts(a, b)


def _why_changed(a: Side, b: Side) -> str:
    if a.evidence.key != b.evidence.key:
        return "The stages above are why."
    return (
        f"Both name the same weights, images and protocol, so software or machine is why, or one "
        f"was not made by what it names: segmodels evaluate {a.run} --force"
    )


def _scoring(a: Side, b: Side) -> Iterator[str]:
    one, other = (protocol.to_dict() for protocol in protocols(a, b))
    for name in (
        Protocol(name="usual", version=1, title="usual")
        .replace(void="error", ignore_classes=("any",))
        .scoring
    ):
        if one[name] != other[name]:
            yield f"{name} is {one[name]} in A, {other[name]} in B. {EFFECTS[name]}"


def _fields(one: Mapping[str, Any], other: Mapping[str, Any], why: str) -> Iterator[str]:
    for name in sorted(one.keys() | other.keys()):
        ours, theirs = one.get(name, _MISSING), other.get(name, _MISSING)
        if ours != theirs:
            yield f"{name} is {ours} in A, {theirs} in B. {why}"


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "origin not recorded"


#: The chain, first to last; each yields a line per difference.
STAGES = {
    "weights": _weights,
    "model": _model,
    "preprocessing": _preprocessing,
    "dataset": _dataset,
    "split": _split,
    "images": _images,
    "labels": _labels,
    "inference": _inference,
    "condition": _condition,
    "precision": _precision,
    "evaluator": _evaluator,
    "software": _software,
    "counts": _counts,
    "scoring": _scoring,
}
