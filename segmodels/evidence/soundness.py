"""Sanity checks of evidence: types, sizes, cells outside the matrix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from operator import ge
from typing import Any

from segmodels.core.files import digest
from segmodels.evidence.counted import HOWS
from segmodels.evidence.images import Images
from segmodels.evidence.record import Evidence

_MOST = 2**40  # pixels; sums over a split stay exact in int64 and in float64
_MOST_OUTPUTS = 10_000
_SHA256 = re.compile("[0-9a-f]{64}")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("weights", "dataset", "split", "fingerprint", "precision"), (str,)),
    **dict.fromkeys(("model", "preprocessing", "inference"), (dict,)),
    "condition": (dict, type(None)),
    "images": (int, type(None)),
    "evaluator": (int,),
}


def unsound(evidence: Evidence) -> Iterator[str]:
    """Faults of a file that would break judging, or mislead it."""
    yield from _wrong_types(evidence)
    yield from _wrong_counted(evidence)
    yield from _wrong_source(evidence.identity.model)
    yield from _wrong_origin(evidence)
    yield from _wrong_skips(evidence)
    yield from _wrong_effect(evidence)
    yield from _wrong_counts(evidence)
    yield from _wrong_blocks(evidence)


def _wrong_types(evidence: Evidence) -> Iterator[str]:
    for name, kinds in _KINDS.items():
        value = getattr(evidence.identity, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield f"field 'identity.{name}' cannot be {value!r}."
    yield from _wrong_condition(evidence.identity.condition)
    for name in (*evidence.classes, *evidence.names):
        if not isinstance(name, str):
            yield f"{name!r} is no name of a class or an image."
    if len(set(evidence.classes)) != len(evidence.classes):
        yield "field 'classes' names a class twice."
    if not len(evidence.classes) <= evidence.outputs <= _MOST_OUTPUTS:
        yield f"field 'outputs' is {evidence.outputs} for {len(evidence.classes)} classes."


_CONDITION: dict[str, tuple[type, ...]] = {
    "corruption": (str,),
    "severity": (int,),
    "seed": (int,),
    "parameter_noise": (int, float),
    "attack": (str,),
    "epsilon": (int,),
    "steps": (int,),
    "resolution": (int, float),
    "windows": (int, str),
    "textures": (str,),
    "every": (int,),
}


def _wrong_condition(condition: object) -> Iterator[str]:
    if not isinstance(condition, dict):
        return
    for name, value in condition.items():
        kinds = _CONDITION.get(name, (int, float, str))
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield f"field 'identity.condition.{name}' cannot be {value!r}."
    if isinstance(every := condition.get("every", 2), int) and every < 2:
        yield f"field 'identity.condition.every' is 2 or more, not {every}."
    if set(condition) <= {"every", "seed"} and condition:
        yield "field 'identity.condition' names no disturbance."
    if "corruption" in condition and "severity" not in condition:
        yield "field 'identity.condition' has a corruption without a severity."
    if "attack" in condition and "epsilon" not in condition:
        yield "field 'identity.condition' has an attack without an epsilon."


def _wrong_counted(evidence: Evidence) -> Iterator[str]:
    counted = evidence.counted
    if not all(isinstance(value, str) for value in vars(counted).values()):
        yield "field 'counted' holds texts alone."
    elif counted.how not in HOWS:
        yield f"field 'counted.how' is one of {', '.join(HOWS)}, not {counted.how!r}."
    elif (counted.how == "checked") != bool(counted.by):
        yield "field 'counted.by' names the third party whose evidence was checked."
    elif counted.signed and not counted.by:
        yield "field 'counted.signed' is of a third party's evidence."


def _wrong_origin(evidence: Evidence) -> Iterator[str]:
    made = evidence.weights_origin.get("training", {})
    parts = (made, made.get("recipe", {}), made.get("overrides", {})) if _is_dict(made) else (made,)
    if not all(map(_is_dict, parts)):
        yield "field 'weights_origin.training' is broken; see segmodels/training/provenance.py."
    elif made:
        yield from _wrong_network(evidence.identity.model, made)


def _wrong_source(model: object) -> Iterator[str]:
    if isinstance(model, dict) and "source" in model and ":" not in str(model.get("name")):
        yield "field 'identity.model' has a source, which only a network of somebody's own has."


def _wrong_network(model: dict[str, Any], made: dict[str, Any]) -> Iterator[str]:
    trained = {"name": made.get("model", model.get("name")), **made.get("overrides", {})}
    trained |= {"source": made["source"]} if "source" in made else {}
    for name, value in trained.items():
        if name in model and digest(model[name]) != digest(value):
            yield (
                f"field 'identity.model' has {name} {model[name]!r}, but 'weights_origin.training' "
                f"trained {value!r}."
            )


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _wrong_skips(evidence: Evidence) -> Iterator[str]:
    skipped = evidence.skipped
    if not all(isinstance(text, str) and text for pair in skipped.items() for text in pair):
        yield "field 'skipped' gives each image that was left out its reason."
    if both := skipped.keys() & set(evidence.names):
        yield f"image {min(both)!r} is counted, and left out in field 'skipped'."
    if len(skipped) + len(evidence.images) > evidence.expected_images:
        yield f"{len(skipped)} images are left out, which leaves too few for those counted."


def _wrong_effect(evidence: Evidence) -> Iterator[str]:
    if evidence.effect is not None and evidence.identity.precision == "fp32":
        yield "field 'effect' is for a cheaper arithmetic than fp32."
    if not _is_effect(evidence.effect):
        yield "field 'effect' is broken; see segmodels/metrics/precision_effect.py."


def _wrong_counts(evidence: Evidence) -> Iterator[str]:
    for name, times in Counter(evidence.names).items():
        if times > 1:
            yield f"image {name!r} is counted {times} times."
    if evidence.shard is not None and len(evidence.shard.digests) != len(evidence.images):
        yield f"{len(evidence.shard.digests)} digests stand for {len(evidence.images)} images."
    limit = (len(evidence.classes) + 1) * evidence.outputs
    if Images(evidence.images).are_within(limit, _MOST):
        return
    for image in evidence.images:
        cells, counts = image.cells, image.counts
        if (
            len(cells) != len(counts)
            or not 0 <= min(cells, default=0) <= max(cells, default=0) < limit
        ):
            yield f"image {image.image!r} has cells outside its matrix."
        if not set(map(type, cells + counts)) <= {int}:
            yield f"image {image.image!r} holds cells or counts that are no whole numbers."
        elif min(counts, default=1) < 1:
            yield f"image {image.image!r} holds a count below 1."
        elif any(map(ge, cells, cells[1:])):
            yield f"image {image.image!r} holds cells that do not ascend."
        if max(counts, default=0) > _MOST:
            yield f"image {image.image!r} holds more pixels than any image has."


def _wrong_blocks(evidence: Evidence) -> Iterator[str]:
    blocks = evidence.blocks
    if blocks is None:
        return
    if evidence.identity.condition is None or evidence.shard is not None:
        yield "field 'blocks' is for evidence of a disturbance that is no shard."
    if not _SHA256.fullmatch(blocks.images_sha256):
        yield f"field 'blocks.images_sha256' cannot be {blocks.images_sha256!r}."
    if not set(map(type, blocks.sizes)) <= {int}:
        yield "field 'blocks.sizes' holds whole numbers alone."
    elif min(blocks.sizes, default=1) < 1 or sum(blocks.sizes) != len(evidence.images):
        yield f"field 'blocks.sizes' is not about {len(evidence.images)} images."
    elif set(evidence.sparse[0].tolist()) - set(blocks.first):
        yield "an image has counts which is not the first of its block."


def _is_effect(effect: Any) -> bool:
    if effect is None:
        return True
    numbers = [effect["moved"]]
    for entry in effect["scores"]:
        low, high = entry["interval"]
        known = [n for n in (entry["difference"], low, high) if n is not None]
        numbers += known or [0.0]
        if not isinstance(entry["scoring"], dict):
            return False
    return {type(number) for number in numbers} <= {int, float}
