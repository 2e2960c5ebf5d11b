"""Merging: shards in any order give the bytes of one process, and wrong ones are refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels.core.files import combine
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, Shard, check_evidence, read_evidence, write_evidence
from segmodels.evidence.merge import merge_evidence


def digest_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def whole(images: int, **changes: Any) -> Evidence:
    """Evidence whose fingerprint is that of its images."""
    names = [image.image for image in evidence(matrices(images)).images]
    fingerprint = combine((name, digest_of(name)) for name in names)
    return evidence(matrices(images), **{"fingerprint": fingerprint, **changes})


def shards_of(made: Evidence, number: int) -> list[Evidence]:
    found = []
    for index in range(number):
        images = made.images[index::number]
        digests = tuple(digest_of(image.image) for image in images)
        shard = Shard(index, number, digests)
        found.append(dataclasses.replace(made, images=images, shard=shard))
    return found


def written(folder: Path, made: Evidence) -> list[bytes]:
    path = write_evidence(folder, made)
    return [path.read_bytes(), path.with_suffix(".counts.jsonl").read_bytes()]


@given(st.integers(1, 9), st.data())
def test_shards_in_any_order_make_the_whole(images: int, data: st.DataObject) -> None:
    made = whole(images)
    parts = shards_of(made, data.draw(st.integers(1, images + 2)))
    assert merge_evidence(data.draw(st.permutations(parts))) == made


def test_the_bytes_are_those_of_one_process(tmp_path: Path) -> None:
    made = whole(7)
    files = [write_evidence(tmp_path / str(p.shard), p) for p in shards_of(made, 3)]
    assert [check_evidence(file).shard for file in files] == [p.shard for p in shards_of(made, 3)]
    merged = merge_evidence(read_evidence(file) for file in reversed(files))
    assert written(tmp_path / "merged", merged) == written(tmp_path / "whole", made)


def test_the_first_images_of_a_split_merge_too() -> None:
    made = dataclasses.replace(evidence(matrices(5), images=5), expected_images=9)
    assert merge_evidence(shards_of(made, 2)) == made


def test_what_is_no_full_set_of_shards_is_refused() -> None:
    made = whole(6)
    parts = shards_of(made, 3)
    for wrong in (parts[:2], [*parts, parts[0]], [parts[0], *shards_of(made, 2)]):
        with pytest.raises(SegmodelsError, match="needs each of its 3 shards once"):
            merge_evidence(wrong)
    for wrong in ([], [made], [*parts, made]):
        with pytest.raises(SegmodelsError, match="only shards can be merged"):
            merge_evidence(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"software": {"torch": "1.0"}}, "software differs"),
        ({"weights_origin": {"trained": "else"}}, "weights_origin differs"),
        ({"classes": ("a", "b", "c")}, "classes differs"),
        ({"expected_images": 7}, "expected_images differs"),
    ],
)
def test_shards_of_different_evaluations_are_refused(change: dict[str, Any], message: str) -> None:
    first, second = shards_of(whole(6), 2)
    with pytest.raises(SegmodelsError, match=message):
        merge_evidence([first, dataclasses.replace(second, **change)])


def test_another_key_is_another_evaluation() -> None:
    first, second = shards_of(whole(6), 2)[0], shards_of(whole(6, split="val"), 2)[1]
    with pytest.raises(SegmodelsError, match="identity differs"):
        merge_evidence([first, second])


def test_an_unfinished_or_doubled_shard_is_refused() -> None:
    first, second = shards_of(whole(6), 2)
    short = dataclasses.replace(second, images=second.images[:2])
    with pytest.raises(SegmodelsError, match="shard 1/2 holds 2 images instead of 3"):
        merge_evidence([first, short])
    doubled = dataclasses.replace(second, images=first.images)
    with pytest.raises(SegmodelsError, match=r"'000\.png' is in 2 shards"):
        merge_evidence([first, doubled])


def test_other_pixels_than_the_registered_ones_are_noticed() -> None:
    first, second = shards_of(whole(6), 2)
    assert second.shard is not None
    other = dataclasses.replace(second.shard, digests=("0" * 64, *second.shard.digests[1:]))
    with pytest.raises(SegmodelsError, match="did not see the images that were registered"):
        merge_evidence([first, dataclasses.replace(second, shard=other)])


@pytest.mark.parametrize("wrong", [(2, 2), (-1, 2), (0, 0)])
def test_there_are_n_shards_of_n(wrong: tuple[int, int]) -> None:
    with pytest.raises(SegmodelsError, match="first of N shards"):
        Shard(*wrong)
