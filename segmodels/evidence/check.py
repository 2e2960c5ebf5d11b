"""Checks of evidence that run no network."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

from segmodels.core.files import first_file, read_json
from segmodels.errors import SegmodelsError
from segmodels.evidence.adding import images_of_each
from segmodels.evidence.files import read_evidence
from segmodels.evidence.places import images_asked, on_images_of, places_asked
from segmodels.evidence.record import Evidence


@lru_cache(maxsize=64)
def _described(path: Path, changed: int) -> dict[str, Any]:
    """A description, cached for all evidence that is checked."""
    del changed
    found: dict[str, Any] = read_json(path)
    return found


def check_evidence(path: Path, *descriptions: Path) -> Evidence:
    """Read evidence and run every check that needs no forward pass.

    Beyond `read_evidence`: the number of images is the one that was asked for, and, where the
    dataset has been prepared, the counted pixels of each class are those of its labels.

    Args:
        path: a `<key>.json`.
        descriptions: folders of `<dataset>.json` as `prepare` writes them
            (`segmodels.core.paths.descriptions`), the first that has one counts; without any
            the comparison with the labels is left out.

    Raises:
        SegmodelsError: the first thing found, with the file.
    """
    evidence = read_evidence(path)
    if len(evidence.images) != images_asked(evidence):
        asked = f"{images_asked(evidence)} were asked for"
        raise SegmodelsError(f"{path}: {len(evidence.images)} images are counted, {asked}.")
    check_pixels(path, evidence, *descriptions)
    return evidence


def check_pixels(path: Path, evidence: Evidence, *descriptions: Path) -> None:
    """Compare counted pixels of each class with those of the labels, where they are known here.

    Raises:
        SegmodelsError: they differ, or the classes do; `path` is named.
    """
    if evidence.identity.inference.get("labels_resized"):
        _check_resized(path, evidence)
        return
    pixels = registered_pixels(evidence, *descriptions)
    if pixels is None:
        return
    counted = map(int, evidence.total().sum(axis=1))
    for name, found in zip((*evidence.classes, "void"), counted, strict=True):
        if found != pixels[name]:
            raise SegmodelsError(
                f"{path}: {found} pixels are counted as {name!r}, but the labels of "
                f"{evidence.identity.dataset} {evidence.identity.split} hold {pixels[name]}."
            )


def check_part(path: Path, part: Evidence, whole: Evidence) -> None:
    """Compare images, and pixels of each label, with those in evidence of more images.

    Whole splits are compared with the labels themselves (`check_pixels`). Names are left out of it
    where the images of a part were merged into one.

    Raises:
        SegmodelsError: they differ, so the counts are of other images; `path` is named.
    """
    if len(places_asked(part)) == len(whole.images):
        return
    same, again = on_images_of(whole, part), "segmodels evaluate RUN --suite SUITE --force"
    if len(part.images) == images_asked(part) and part.names != same.names:
        raise SegmodelsError(
            f"{path}: its images are not those that its identity asks for, by evidence "
            f"{whole.key}. Count it again ({again}), or remove it."
        )
    if (part.total().sum(axis=1) != same.total().sum(axis=1)).any():
        raise SegmodelsError(
            f"{path}: the pixels of each label are not those that evidence {whole.key} has of the "
            f"same {images_asked(part)} images. Count it again ({again}), or remove it."
        )


def _check_resized(path: Path, evidence: Evidence) -> None:
    """Of resized labels only the number of an image's pixels is known, where all have one size."""
    fixed = evidence.identity.inference.get("resize_fixed")
    if fixed is None:
        return
    each = math.prod(fixed) if isinstance(fixed, list | tuple) else fixed**2
    for one, images in zip(evidence.images, images_of_each(evidence), strict=True):
        if sum(one.counts) != (expected := images * each):
            raise SegmodelsError(
                f"{path}: {sum(one.counts)} pixels are counted of {one.image!r}, but labels "
                f"resized as its protocol says have {expected}."
            )


def registered_pixels(evidence: Evidence, *descriptions: Path) -> dict[str, int] | None:
    """Pixels per class, and `void`, of the images that can be read, if evidence counted all.

    None if the evidence is of a part of the split, if its labels were resized, or if the dataset
    was not prepared here with the same images.

    Raises:
        SegmodelsError: the same images were counted under other classes.
    """
    identity = evidence.identity
    path = first_file(descriptions, f"{identity.dataset}.json")
    resized = identity.inference.get("labels_resized")
    if not evidence.exhausted or resized or path is None:
        return None
    about = _described(path, path.stat().st_mtime_ns)
    split = about["splits"].get(identity.split, {})
    if split.get("fingerprint") != identity.fingerprint:
        return None
    if about.get("classes", list(evidence.classes)) != list(evidence.classes):
        raise SegmodelsError(
            f"evidence {evidence.key}: field 'classes' is not that of {path}; counts under other "
            f"names cannot be compared with the labels."
        )
    pixels: dict[str, int] | None = split.get("pixels")
    return pixels
