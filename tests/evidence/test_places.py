"""Which images of a split evidence is about."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, Shard, images_asked, read_evidence, write_evidence
from segmodels.evidence.adding import in_blocks
from segmodels.evidence.check import check_part
from segmodels.evidence.places import has_images_of, on_images_of, places_asked

FOG = {"corruption": "fog", "severity": 1, "seed": 0}


def part(whole: Evidence, every: int, first: int | None = None) -> Evidence:
    """What counting some images of a split would give."""
    identity = dataclasses.replace(whole.identity, condition={**FOG, "every": every}, images=first)
    counted = whole.images[: first or len(whole.images)][::every]
    return dataclasses.replace(whole, identity=identity, images=counted)


@given(st.integers(1, 30), st.integers(2, 12), st.none() | st.integers(1, 40), st.integers(1, 4))
def test_shards_of_a_part_are_all_of_it(
    images: int, every: int, first: int | None, shards: int
) -> None:
    whole = evidence(matrices(images))
    found = part(whole, every, first)
    asked = places_asked(found)
    assert list(asked) == [p for p in range(min(first or images, images)) if p % every == 0]
    assert images_asked(found) == len(found.images)
    every_shard = (Shard(index, shards) for index in range(shards))
    pieces = [places_asked(dataclasses.replace(found, shard=one)) for one in every_shard]
    assert sorted(place for piece in pieces for place in piece) == list(asked)
    assert has_images_of(whole, found)
    assert on_images_of(whole, found).images == found.images
    assert not has_images_of(found, whole) or len(found.images) == images


def test_counts_that_are_not_here_or_not_apart_are_not_taken() -> None:
    whole = evidence(matrices(12))
    first = dataclasses.replace(
        whole, images=whole.images[:7], identity=dataclasses.replace(whole.identity, images=7)
    )
    assert has_images_of(first, part(whole, 3, 7))
    assert not has_images_of(first, part(whole, 3))
    skipping = dataclasses.replace(part(whole, 3), skipped={"a.png": "broken"})
    fewer = dataclasses.replace(part(whole, 3), expected_images=6)
    assert not has_images_of(whole, skipping)
    assert not has_images_of(whole, fewer)
    sums = in_blocks(whole, [6, 6])
    assert not has_images_of(sums, part(whole, 3))
    assert has_images_of(sums, whole)
    assert on_images_of(sums, whole) is sums


def test_counts_of_other_images_are_refused(tmp_path: Path) -> None:
    whole = evidence(matrices(12))
    found = part(whole, 5)
    check_part(tmp_path / "a.json", found, whole)
    other = dataclasses.replace(found, images=whole.images[: len(found.images)])
    with pytest.raises(SegmodelsError, match=r"a\.json: its images are not those that"):
        check_part(tmp_path / "a.json", other, whole)
    pairs = zip(whole.images[1::5], found.images, strict=False)
    named = [dataclasses.replace(one, image=asked.image) for one, asked in pairs]
    easy = dataclasses.replace(found, images=[*named, *found.images[len(named) :]])
    with pytest.raises(SegmodelsError, match=r"a\.json: the pixels of each label are not those"):
        check_part(tmp_path / "a.json", easy, whole)


@pytest.mark.parametrize("every", [1, 0, -3, 2.5, "2"])
def test_what_is_no_part_is_refused(tmp_path: Path, every: object) -> None:
    path = write_evidence(tmp_path, evidence(condition={**FOG, "every": every}))
    with pytest.raises(SegmodelsError, match=r"field 'identity\.condition\.every'"):
        read_evidence(path)


@pytest.mark.parametrize("condition", [{"every": 3}, {"every": 3, "seed": 1}])
def test_a_part_of_the_images_is_no_disturbance(tmp_path: Path, condition: dict[str, int]) -> None:
    path = write_evidence(tmp_path, evidence(condition=condition))
    with pytest.raises(SegmodelsError, match="names no disturbance"):
        read_evidence(path)
