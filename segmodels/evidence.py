"""Evidence: what a run saw, as integers, with the hashes of everything that made them.

On disk one piece of evidence is two text files named by its key:

- `<key>.json` says what was evaluated (weights, dataset, inference, condition, software);
- `<key>.counts.jsonl` holds one line per image: the non-zero cells of its count matrix.

Both are reproducible to the byte: seconds, machine and dates stand in a record of their own
(see `segmodels.environment`). Anyone can re-judge evidence without torch, weights or images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segmodels.errors import SegmodelsError
from segmodels.files import canonical_json, digest, read_json, write_json, write_text
from segmodels.metrics import Counts

SCHEMA = 1
_KEY_LENGTH = 16


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
        inference: the inference half of the protocol.
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
    """

    identity: Identity
    classes: tuple[str, ...]
    outputs: int
    expected_images: int
    weights_origin: dict[str, Any]
    software: dict[str, str]
    images: tuple[ImageCounts, ...]

    @property
    def key(self) -> str:
        """Digest of the identity."""
        return self.identity.key

    @property
    def complete(self) -> bool:
        """Whether every image of the split was evaluated."""
        return len(self.images) == self.expected_images

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
        identity = Identity(**head["identity"])
        evidence = Evidence(
            identity=identity,
            classes=tuple(head["classes"]),
            outputs=int(head["outputs"]),
            expected_images=int(head["expected_images"]),
            weights_origin=dict(head["weights_origin"]),
            software=dict(head["software"]),
            images=tuple(_read_counts(path, head["counts_sha256"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SegmodelsError(f"{path}: not evidence of schema {SCHEMA} ({error!r}).") from None
    for problem in _problems(path, head, evidence):
        raise SegmodelsError(f"{path}: {problem}")
    return evidence


def _read_counts(path: Path, expected: str) -> Iterator[ImageCounts]:
    counts = path.with_suffix(".counts.jsonl")
    try:
        data = counts.read_bytes()
    except FileNotFoundError:
        raise SegmodelsError(f"{counts}: missing beside {path.name}.") from None
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
    if evidence.key != head["key"] or evidence.key != path.stem:
        yield f"the identity hashes to key {evidence.key}, not to the name it carries."
    if len(evidence.images) != head["images"]:
        yield f"{len(evidence.images)} images are counted, field 'images' says {head['images']}."
    limit = (len(evidence.classes) + 1) * evidence.outputs
    for image in evidence.images:
        if len(image.cells) != len(image.counts) or any(not 0 <= c < limit for c in image.cells):
            yield f"image {image.image!r} has cells outside its matrix."


def find_evidence(folder: Path) -> Iterable[Evidence]:
    """All evidence below a folder, sorted by path."""
    for path in sorted(folder.rglob("*.json")):
        if len(path.stem) == _KEY_LENGTH:
            yield read_evidence(path)
