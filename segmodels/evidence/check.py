"""Everything that can be wrong with evidence and be seen without a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from segmodels.core.files import read_json
from segmodels.errors import SegmodelsError
from segmodels.evidence.files import read_evidence
from segmodels.evidence.record import Evidence, images_asked


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
