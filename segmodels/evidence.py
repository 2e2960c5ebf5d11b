"""Evidence: what a run saw, as integers, with the hashes of everything that made them.

On disk one piece of evidence is two text files named by its key:

- `<key>.json` says what was evaluated (weights, dataset, inference, condition, software);
- `<key>.counts.jsonl` holds one line per image: the non-zero cells of its count matrix.

A shard, the part of a split that one of several processes counted, looks the same and carries
the key of the whole; `merge_evidence` makes the whole of all its shards.

Both are reproducible to the byte: seconds, machine and dates stand in a record of their own
(see `segmodels.environment`). Anyone can re-judge evidence without torch, weights or images.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from segmodels.errors import SegmodelsError
from segmodels.files import canonical_json, digest, read_json, write_json, write_text
from segmodels.metrics import Counts

SCHEMA = 1
_KEY_LENGTH = 16
_MOST = 2**40  # pixels; sums over a split stay exact in int64 and in float64
_MOST_OUTPUTS = 10_000
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("weights", "dataset", "split", "fingerprint", "precision"), (str,)),
    **dict.fromkeys(("model", "preprocessing", "inference"), (dict,)),
    "condition": (dict, type(None)),
    "images": (int, type(None)),
    "evaluator": (int,),
}


@dataclass(frozen=True)
class Identity:
    """Everything that decides the counts; its digest is the evidence key.

    Attributes:
        weights: hex SHA-256 of the weights file.
        model: the arguments that build the network, `name` included.
        preprocessing: channel order and normalisation applied to pixels.
        dataset: dataset name.
        split: split name.
        fingerprint: hex SHA-256 of the decoded images and labels of the split.
        inference: the inference half of the protocol, but for the precision.
        condition: what was disturbed (a corruption, parameter noise), None for clean.
        images: how many images from the start of the split, None for all.
        precision: arithmetic of the network (`fp32` defines the number).
        evaluator: `segmodels.versions.EVALUATOR` that counted.
    """

    weights: str
    model: dict[str, Any]
    preprocessing: dict[str, Any]
    dataset: str
    split: str
    fingerprint: str
    inference: dict[str, Any]
    condition: dict[str, Any] | None
    images: int | None
    precision: str
    evaluator: int

    @property
    def key(self) -> str:
        """The evidence key: 16 hex digits, computed here and nowhere else."""
        return digest(vars(self))[:_KEY_LENGTH]


@dataclass(frozen=True)
class ImageCounts:
    """The non-zero cells of one image's `(classes + 1, outputs)` matrix, row-major, ascending."""

    image: str
    cells: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def from_matrix(cls, image: str, matrix: Counts) -> ImageCounts:
        """Keep the cells that are not zero."""
        flat = matrix.ravel()
        (cells,) = np.nonzero(flat)
        return cls(image, tuple(map(int, cells)), tuple(int(flat[i]) for i in cells))

    def to_line(self) -> str:
        """One line of `<key>.counts.jsonl`, without the line end."""
        return canonical_json({"image": self.image, "cells": self.cells, "counts": self.counts})

    @classmethod
    def from_line(cls, line: str) -> ImageCounts:
        """Parse one line (ValueError, KeyError or TypeError when it is not one)."""
        entry = json.loads(line)
        return cls(entry["image"], tuple(entry["cells"]), tuple(entry["counts"]))


@dataclass(frozen=True)
class Shard:
    """Which images of a split a process counted: `index`, `index + number`, and so on.

    Attributes:
        index: 0..number-1.
        number: how many shards the split has.
        digests: hex SHA-256 of each counted image with its labels, from which merging finds
            out whether all shards saw the registered images.
    """

    index: int
    number: int
    digests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.number:
            raise SegmodelsError(
                f"shard {self.index}/{self.number}: the first of N shards is 0/N, the last N-1/N."
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.number}"


@dataclass(frozen=True)
class Evidence:
    """Counts per image under one identity.

    Attributes:
        identity: what was evaluated, hashed into `key`.
        classes: names of the C scored classes.
        outputs: number of network outputs K (columns of the matrices).
        expected_images: images in the split, whether evaluated or not.
        weights_origin: where the weights come from: `{"released": name}` for an entry of
            `params/weights.yaml`, `{"trained": run, "recipe": …, "seed": …}` for our own.
        software: versions of the packages between pixels and counts.
        images: one entry per evaluated image, in dataset order.
        shard: which part of the images these are; None for all of them.
        effect: what a cheaper arithmetic did to the scores (`segmodels.effect`); None in fp32.
        skipped: images of the split that could not be read and were left out at the user's
            wish, by name with the reason; the fingerprint is that of the others.
    """

    identity: Identity
    classes: tuple[str, ...]
    outputs: int
    expected_images: int
    weights_origin: dict[str, Any]
    software: dict[str, str]
    images: tuple[ImageCounts, ...]
    shard: Shard | None = None
    effect: dict[str, Any] | None = None
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Digest of the identity."""
        return self.identity.key

    @property
    def complete(self) -> bool:
        """Whether every image of the split was evaluated."""
        return len(self.images) == self.expected_images

    @property
    def exhausted(self) -> bool:
        """Whether every image of the split was evaluated that could be read."""
        return len(self.images) + len(self.skipped) == self.expected_images

    def matrices(self) -> Counts:
        """int64 (images, C + 1, K)."""
        shape = (len(self.classes) + 1, self.outputs)
        dense = np.zeros((len(self.images), shape[0] * shape[1]), dtype=np.int64)
        for row, image in zip(dense, self.images, strict=True):
            row[list(image.cells)] = image.counts
        return dense.reshape(-1, *shape)

    def total(self) -> Counts:
        """int64 (C + 1, K), summed over images without making each of them dense."""
        flat = np.zeros((len(self.classes) + 1) * self.outputs, dtype=np.int64)
        for image in self.images:
            flat[list(image.cells)] += np.array(image.counts, dtype=np.int64)
        return flat.reshape(-1, self.outputs)


def write_evidence(folder: Path, evidence: Evidence) -> Path:
    """Write both files; the `.json` last, so that a reader never finds it without counts.

    Returns:
        the path of `<key>.json`.
    """
    lines = "".join(image.to_line() + "\n" for image in evidence.images)
    counts = folder / f"{evidence.key}.counts.jsonl"
    write_text(counts, lines)
    head = {
        "schema": SCHEMA,
        "key": evidence.key,
        "identity": vars(evidence.identity),
        "weights_origin": evidence.weights_origin,
        "classes": list(evidence.classes),
        "outputs": evidence.outputs,
        "images": len(evidence.images),
        "expected_images": evidence.expected_images,
        "software": evidence.software,
        "counts_sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
    if evidence.shard is not None:
        head["shard"] = asdict(evidence.shard)
    if evidence.effect is not None:
        head["effect"] = evidence.effect
    if evidence.skipped:
        head["skipped"] = evidence.skipped
    path = folder / f"{evidence.key}.json"
    write_json(path, head)
    return path


def read_evidence(path: Path) -> Evidence:
    """Read and check one `<key>.json` with its counts.

    Raises:
        SegmodelsError: a file is missing, was edited, or does not add up.
    """
    head = read_json(path)
    try:
        evidence = Evidence(
            identity=Identity(**head["identity"]),
            classes=tuple(head["classes"]),
            outputs=int(head["outputs"]),
            expected_images=int(head["expected_images"]),
            weights_origin=dict(head["weights_origin"]),
            software=dict(head["software"]),
            images=tuple(_read_counts(path, head["counts_sha256"])),
            shard=_read_shard(head.get("shard")),
            effect=head.get("effect"),
            skipped=dict(head.get("skipped", {})),
        )
        problem = next(_problems(path, head, evidence), None)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SegmodelsError(f"{path}: not evidence of schema {SCHEMA} ({error!r}).") from None
    if problem:
        raise SegmodelsError(f"{path}: {problem}")
    return evidence


def _read_shard(entry: dict[str, Any] | None) -> Shard | None:
    if entry is None:
        return None
    return Shard(int(entry["index"]), int(entry["number"]), tuple(entry["digests"]))


def _read_counts(path: Path, expected: str) -> Iterator[ImageCounts]:
    counts = path.with_suffix(".counts.jsonl")
    try:
        data = counts.read_bytes()
    except FileNotFoundError:
        raise SegmodelsError(f"{counts}: missing beside {path.name}.") from None
    except OSError as error:
        raise SegmodelsError(f"{counts}: cannot be read ({error.strerror or error}).") from None
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise SegmodelsError(
            f"{counts}: its sha256 {found[:12]}… is not the {expected[:12]}… that "
            f"{path.name} recorded; the counts were changed after they were written."
        )
    return (ImageCounts.from_line(line) for line in data.decode().splitlines())


def _problems(path: Path, head: dict[str, Any], evidence: Evidence) -> Iterator[str]:
    if head.get("schema") != SCHEMA:
        yield f"field 'schema' is {head.get('schema')!r}, this version reads {SCHEMA}."
    yield from _wrong_types(evidence)
    if evidence.key != head["key"] or evidence.key != path.stem:
        yield f"the identity hashes to key {evidence.key}, not to the name it carries."
    if len(evidence.images) != head["images"]:
        yield f"{len(evidence.images)} images are counted, field 'images' says {head['images']}."
    if evidence.shard is not None and len(evidence.shard.digests) != len(evidence.images):
        yield f"{len(evidence.shard.digests)} digests stand for {len(evidence.images)} images."
    limit = (len(evidence.classes) + 1) * evidence.outputs
    for image in evidence.images:
        if len(image.cells) != len(image.counts) or any(not 0 <= c < limit for c in image.cells):
            yield f"image {image.image!r} has cells outside its matrix."
        if not set(map(type, (*image.cells, *image.counts))) <= {int}:
            yield f"image {image.image!r} holds cells or counts that are no whole numbers."
        if max(image.counts, default=0) > _MOST:
            yield f"image {image.image!r} holds more pixels than any image has."


def _wrong_types(evidence: Evidence) -> Iterator[str]:
    """What would break, or quietly mislead, whoever judges by it later."""
    for name, kinds in _KINDS.items():
        value = getattr(evidence.identity, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield f"field 'identity.{name}' cannot be {value!r}."
    for name in (*evidence.classes, *(image.image for image in evidence.images)):
        if not isinstance(name, str):
            yield f"{name!r} is no name of a class or an image."
    if len(set(evidence.classes)) != len(evidence.classes):
        yield "field 'classes' names a class twice."
    if not len(evidence.classes) <= evidence.outputs <= _MOST_OUTPUTS:
        yield f"field 'outputs' is {evidence.outputs} for {len(evidence.classes)} classes."
    yield from _wrong_skips(evidence)
    if evidence.effect is not None and evidence.identity.precision == "fp32":
        yield "field 'effect' is for a cheaper arithmetic than fp32."
    if not _is_effect(evidence.effect):
        yield "field 'effect' is broken; see segmodels/effect.py for what it holds."


def _wrong_skips(evidence: Evidence) -> Iterator[str]:
    skipped = evidence.skipped
    if not all(isinstance(text, str) and text for pair in skipped.items() for text in pair):
        yield "field 'skipped' gives each image that was left out its reason."
    if both := skipped.keys() & {image.image for image in evidence.images}:
        yield f"image {min(both)!r} is counted, and left out in field 'skipped'."
    if len(skipped) + len(evidence.images) > evidence.expected_images:
        yield f"{len(skipped)} images are left out, which leaves too few for those counted."


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


def check_evidence(path: Path, descriptions: Path | None = None) -> Evidence:
    """Read evidence and look at everything that can be wrong with it without a network.

    Beyond `read_evidence`: counts are positive, cells ascend, no image is counted twice, the
    number of images is the one that was asked for, and, where the dataset has been prepared,
    the counted pixels of each class are those of its labels.

    Args:
        path: a `<key>.json`.
        descriptions: folder of `<dataset>.json` as `prepare` writes them
            (`reports/datasets`); None leaves the comparison with the labels out.

    Raises:
        SegmodelsError: the first thing found, with the file.
    """
    evidence = read_evidence(path)
    for problem in _irregularities(evidence):
        raise SegmodelsError(f"{path}: {problem}")
    pixels = registered_pixels(evidence, descriptions) if descriptions else None
    counted = evidence.total().sum(axis=1)
    if pixels is not None:
        for name, found in zip((*evidence.classes, "void"), map(int, counted), strict=True):
            if found != pixels[name]:
                raise SegmodelsError(
                    f"{path}: {found} pixels are counted as {name!r}, but the labels of "
                    f"{evidence.identity.dataset} {evidence.identity.split} hold {pixels[name]}."
                )
    return evidence


def registered_pixels(evidence: Evidence, descriptions: Path) -> dict[str, int] | None:
    """Pixels per class, and `void`, of the images that can be read, if evidence counted all.

    None if the evidence is of a part of the split, or if the dataset was not prepared here
    with the same images.

    Raises:
        SegmodelsError: the same images were counted under other classes.
    """
    identity, path = evidence.identity, descriptions / f"{evidence.identity.dataset}.json"
    if not evidence.exhausted or not path.is_file():
        return None
    about = read_json(path)
    split = about["splits"].get(identity.split, {})
    if split.get("fingerprint") != identity.fingerprint:
        return None
    if about["classes"] != list(evidence.classes):
        raise SegmodelsError(
            f"evidence {evidence.key}: field 'classes' is not that of {path}; counts under other "
            f"names cannot be compared with the labels."
        )
    pixels: dict[str, int] = split["pixels"]
    return pixels


def images_asked(evidence: Evidence) -> int:
    """How many images the identity, and the shard, ask for."""
    first = evidence.identity.images
    here = evidence.expected_images - len(evidence.skipped)
    whole = here if first is None else min(first, here)
    shard = evidence.shard
    return whole if shard is None else len(range(shard.index, whole, shard.number))


def _irregularities(evidence: Evidence) -> Iterator[str]:
    if len(evidence.images) != images_asked(evidence):
        yield f"{len(evidence.images)} images are counted, {images_asked(evidence)} were asked for."
    for name, times in Counter(image.image for image in evidence.images).items():
        if times > 1:
            yield f"image {name!r} is counted {times} times."
    for image in evidence.images:
        if any(count < 1 for count in image.counts):
            yield f"image {image.image!r} holds a count below 1."
        elif any(a >= b for a, b in pairwise(image.cells)):
            yield f"image {image.image!r} holds cells that do not ascend."


def find_evidence(folder: Path) -> Iterable[Evidence]:
    """All evidence below a folder, sorted by path."""
    return map(read_evidence, evidence_files(folder))


def evidence_files(folder: Path) -> list[Path]:
    """Every `<key>.json` below a folder, sorted."""
    return [path for path in sorted(folder.rglob("*.json")) if len(path.stem) == _KEY_LENGTH]
