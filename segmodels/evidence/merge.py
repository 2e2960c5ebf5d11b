"""Merging shards: the evidence of several processes becomes that of one.

Integers do not depend on who counted them, so nothing has to be exchanged while networks run:
shards are files, on one machine or on many, and merging them gives the same bytes as counting
in one process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from segmodels.core.files import combine
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, ImageCounts, Shard, images_asked

T = TypeVar("T")

_COMMON = (
    "identity",
    "classes",
    "outputs",
    "expected_images",
    "weights_origin",
    "software",
    "skipped",
    "counted",
)


def merge_evidence(parts: Iterable[Evidence]) -> Evidence:
    """The whole evidence of all its shards, given in any order.

    Raises:
        SegmodelsError: a part is no shard, one is missing, given twice or incomplete, the
            parts are of different evaluations, or their images are not the registered ones.
    """
    shards = _in_order(list(parts))
    first = shards[0][1]
    for _, part in shards:
        _check_common(first, part)
    images = _interleaved([part.images for _, part in shards])
    digests = _interleaved([shard.digests for shard, _ in shards])
    whole = replace(first, images=tuple(images), shard=None)
    for name, times in Counter(image.image for image in images).items():
        if times > 1:
            raise SegmodelsError(f"evidence {whole.key}: image {name!r} is in {times} shards.")
    if whole.exhausted:
        _check_content(whole.key, images, digests, whole.identity.fingerprint)
    return whole


def _in_order(parts: list[Evidence]) -> list[tuple[Shard, Evidence]]:
    found = [(part.shard, part) for part in parts if part.shard is not None]
    if not found or len(found) < len(parts):
        whole = next((part.key for part in parts if part.shard is None), "none given")
        raise SegmodelsError(f"only shards can be merged; evidence {whole} is no shard.")
    number = found[0][0].number
    given = sorted((shard.index, shard.number) for shard, _ in found)
    if given != [(index, number) for index in range(number)]:
        named = ", ".join(f"{index}/{of}" for index, of in given)
        raise SegmodelsError(
            f"evidence {parts[0].key}: merging needs each of its {number} shards once, not {named}."
        )
    return sorted(found, key=lambda pair: pair[0].index)


def _check_common(first: Evidence, part: Evidence) -> None:
    for field in _COMMON:
        if getattr(first, field) != getattr(part, field):
            raise SegmodelsError(
                f"shards {first.shard} and {part.shard} are of different evaluations: "
                f"their {field} differs. Count both again with the same software and files."
            )
    if len(part.images) != images_asked(part):
        raise SegmodelsError(
            f"evidence {part.key}: shard {part.shard} holds {len(part.images)} images "
            f"instead of {images_asked(part)}."
        )


def _interleaved(shards: Sequence[Sequence[T]]) -> list[T]:
    """The elements in the order of the images: image i is the next one of shard i mod n."""
    total = sum(map(len, shards))
    return [shards[i % len(shards)][i // len(shards)] for i in range(total)]


def _check_content(
    key: str, images: Sequence[ImageCounts], digests: Sequence[str], fingerprint: str
) -> None:
    found = combine((counts.image, one) for counts, one in zip(images, digests, strict=True))
    if found != fingerprint:
        raise SegmodelsError(
            f"evidence {key}: the shards did not see the images that were registered "
            f"(fingerprint {found[:12]}…, expected {fingerprint[:12]}…); count them again."
        )
