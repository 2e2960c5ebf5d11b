"""Evidence in blocks of images: what it keeps, what it refuses, what nobody can slip into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import evidence, matrices

from segmodels.assets.groups import Grouping, units_of
from segmodels.core.files import digest
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence, Shard, check_evidence, read_evidence, write_evidence
from segmodels.evidence.adding import alike, finest, images_of_each, in_blocks, same_counts
from segmodels.evidence.blocks import Blocks, common
from segmodels.evidence.files import write_compact
from segmodels.evidence.images import Images
from segmodels.metrics.intervals import IntervalRule, leave_out, miou_interval, over
from segmodels.metrics.ranking import over_corruptions
from segmodels.metrics.scores import score
from segmodels.protocols.protocol import Protocol

PLAIN = Protocol(name="plain", version=1, title="plain")
FOG: dict[str, Any] = {"corruption": "fog", "severity": 1, "seed": 0}
NUMBER = 12

#: Of the images of these tests, `000.png` and so on: blocks of about four in one drive.
RULE = IntervalRule(confidence=0.95, groups={"toy": Grouping(kind="drive", pattern="(.)", block=4)})
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def foggy(seed: int = 0, number: int = NUMBER, **changes: Any) -> Evidence:
    return evidence(matrices(number, seed=seed), condition=changes.pop("condition", FOG), **changes)


@given(SIZES)
def test_a_block_has_the_sum_of_its_images(sizes: list[int]) -> None:
    whole = foggy(number=sum(sizes))
    found = in_blocks(whole, sizes)
    each, ends = whole.matrices(), np.cumsum(sizes)
    sums = [each[end - size : end].sum(axis=0) for end, size in zip(ends, sizes, strict=True)]
    assert found.blocks is not None
    first = list(found.blocks.first)
    np.testing.assert_array_equal(found.matrices()[first], sums)
    assert found.matrices().sum() == each.sum()
    assert (found.names, found.key, found.complete) == (whole.names, whole.key, True)
    assert images_of_each(found) == tuple(
        sizes[first.index(place)] if place in first else 0 for place in range(len(whole.names))
    )
    assert score(found, PLAIN) == score(whole, PLAIN)


@given(SIZES, st.data())
def test_in_two_steps_it_is_the_same(sizes: list[int], data: st.DataObject) -> None:
    """And the smallest blocks that two divisions have in common are whole blocks of both."""
    whole = foggy(number=sum(sizes))
    other = data.draw(st.permutations(sizes))
    joint = common([sizes, other])
    assert sum(joint) == sum(sizes)
    for one in (sizes, other):
        assert set(np.cumsum(joint)) <= set(np.cumsum(one))
        assert in_blocks(in_blocks(whole, one), joint) == in_blocks(whole, joint)
    assert common([sizes]) == tuple(sizes)


@pytest.mark.parametrize("sizes", [[6, 5], [6, 7], [0, 12], [], [12, 0], [13, -1]])
def test_blocks_are_of_all_images(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="blocks"):
        in_blocks(foggy(), sizes)


def test_a_sum_is_not_taken_apart() -> None:
    with pytest.raises(ValueError, match="2 counts cannot be added up in 3 blocks"):
        in_blocks(in_blocks(foggy(), [6, 6]), [4, 4, 4])


def test_sums_take_no_more_memory_than_their_cells() -> None:
    """Matrices of a million cells, of which each image has one: dense, these would be 160 GB."""
    number, classes = 20_000, 1_000
    image = np.arange(number)
    counts = image, image % classes, np.ones(number, np.uint64)
    whole = replace(
        foggy(),
        classes=tuple(f"class {place}" for place in range(classes)),
        outputs=classes,
        expected_images=number,
        images=Images.of([f"{place:05d}.png" for place in image], counts),
    )
    found = in_blocks(whole, [1] * number)
    assert found.images == whole.images
    assert same_counts(found, in_blocks(whole, [20] * (number // 20)))
    assert len(in_blocks(whole, [number]).sparse[0]) == classes


def test_intervals_of_whole_units_are_those_of_every_image() -> None:
    """To the last bit, alone, in pairs with evidence of every image, and in a mean."""
    fogs = [foggy(seed) for seed in range(3)]
    sums = [in_blocks(one, [4, 4, 4]) for one in fogs]
    assert miou_interval(sums[0], PLAIN, RULE) == miou_interval(fogs[0], PLAIN, RULE)
    for mixed in (sums, [fogs[0], *sums[1:]], [sums[0], *fogs[1:]]):
        np.testing.assert_array_equal(
            leave_out(mixed, PLAIN, RULE).without, leave_out(fogs, PLAIN, RULE).without
        )
        assert over(mixed, RULE) == over(fogs, RULE)
    one, other = (over_corruptions(each, PLAIN, RULE) for each in (fogs, sums))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.without, other.without)


def test_units_that_a_block_joins_are_left_out_together() -> None:
    found = in_blocks(foggy(), [6, 2, 4])
    assert over([found], RULE) == "2 blocks of 4 to 8 consecutive images in 1 drive"
    assert over([foggy(), found], RULE).endswith(over([found], RULE))
    left = leave_out([found], PLAIN, RULE).without
    assert left.tolist() == leave_out([in_blocks(foggy(), [8, 4])], PLAIN, RULE).without.tolist()
    # Means of other units cannot be set against each other.
    assert over_corruptions([foggy(), found], PLAIN, RULE) is None
    names = [f"{place}" for place in range(6)]
    assert units_of(names, None, [(2, 4)]).words == "2 blocks of 2 to 4 images"
    assert units_of(names, None, [(2, 2, 2), (1, 2, 1, 1, 1)]).places == (0, 0, 0, 0, 1, 1)


def test_as_many_bytes_less_it_says_the_same(tmp_path: Path) -> None:
    """Read again from files of its own, from packed ones and from a bundle."""
    fogs = [foggy(seed, condition={**FOG, "severity": seed + 1}) for seed in range(3)]
    sums = [in_blocks(one, [4, 4, 4]) for one in fogs]
    assert read_evidence(write_evidence(tmp_path / "lines", sums[0])) == sums[0]
    write_compact(tmp_path / "one", sums[:1])
    assert check_evidence(tmp_path / f"one/{sums[0].key}.json") == sums[0]
    write_compact(tmp_path / "bundle", sums)
    assert [read_evidence(tmp_path / f"bundle/{one.key}.json") for one in sums] == sums
    head = json.loads((tmp_path / f"one/{sums[0].key}.json").read_text())
    assert (head["schema"], head["images"], head["blocks"]["sizes"]) == (3, 12, [4, 4, 4])


def test_equal_counts_are_told_in_any_form() -> None:
    whole = foggy()
    forms = [whole, in_blocks(whole, [4, 4, 4]), in_blocks(whole, [6, 6]), in_blocks(whole, [12])]
    for one in forms:
        assert all(same_counts(one, other) for other in forms)
        assert not same_counts(one, foggy(seed=1))
        assert not same_counts(one, in_blocks(foggy(seed=1), [12]))
    assert {one.blocks for one in alike(forms)} == {forms[-1].blocks}
    assert alike([whole, foggy(1)])[1].blocks is None


def test_other_sums_under_the_right_digest_are_other_counts() -> None:
    """The total may be the same: a forged interval is found by whoever counts again."""
    whole = foggy()
    honest = in_blocks(whole, [4, 4, 4])
    forged = in_blocks(replace(whole, images=whole.images[::-1]), [4, 4, 4])
    assert honest.blocks is not None
    names = replace(forged, images=honest.images[:0] + _renamed(forged, honest))
    slipped = replace(names, blocks=honest.blocks)
    assert (slipped.total() == honest.total()).all()
    assert not same_counts(whole, slipped)
    assert not same_counts(honest, slipped)


def _renamed(evidence: Evidence, like: Evidence) -> tuple[Any, ...]:
    pairs = zip(evidence.images, like.names, strict=True)
    return tuple(replace(one, image=name) for one, name in pairs)


def test_images_of_one_block_that_were_exchanged_are_other_images() -> None:
    """Their sum is the same; the digest of what was added up is not."""
    whole = foggy()
    first, second, *others = whole.images
    exchanged = replace(
        whole,
        images=(
            replace(second, image=first.image),
            replace(first, image=second.image),
            *others,
        ),
    )
    one, other = (in_blocks(each, [4, 4, 4]) for each in (whole, exchanged))
    assert one.images == other.images
    assert not same_counts(one, other)
    assert not same_counts(one, exchanged)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(schema=2), "field 'schema' is 2, this version reads 3 with"),
        (lambda h: h.pop("blocks"), "field 'schema' is 3, this version reads 3 with"),
        (
            lambda h: h["blocks"].pop("sizes"),
            "not evidence of schemas 1 to 3; it lacks the field 'si",
        ),
        (lambda h: h["blocks"].update(sizes=[4, 4]), "'blocks.sizes' is not about 12 images"),
        (lambda h: h["blocks"].update(sizes=[4, 4, 4, 0]), "'blocks.sizes' is not about 12"),
        (lambda h: h["blocks"].update(sizes=[3, 5, 4]), "counts which is not the first of its"),
        (lambda h: h["blocks"].update(sizes="444"), "its 'sizes' is a list of whole numbers"),
        (lambda h: h["blocks"].update(sizes=None), "its 'sizes' is a list of whole numbers"),
        (lambda h: h.update(blocks=[4, 4, 4]), "field 'blocks' is an object"),
        (lambda h: h["blocks"].update(sizes=["4"] * 3), "'blocks.sizes' holds whole numbers"),
        (lambda h: h["blocks"].update(sizes=[4.0, 4, 4]), "'blocks.sizes' holds whole numbers"),
        (lambda h: h["blocks"].update(sizes=[True, 4, 7]), "'blocks.sizes' holds whole numbers"),
        (lambda h: h["blocks"].update(sizes=[-4, 16]), "'blocks.sizes' is not about 12 images"),
        (lambda h: h["blocks"].update(sizes=[10**400, 4]), "'blocks.sizes' is not about 12"),
        (lambda h: h["blocks"].update(images_sha256="?"), "'blocks.images_sha256' cannot be '\\?'"),
    ],
)
def test_an_edited_head_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    path = write_evidence(tmp_path, in_blocks(foggy(), [4, 4, 4]))
    head = json.loads(path.read_text())
    change(head)
    head["record_sha256"] = digest({k: v for k, v in head.items() if k != "record_sha256"})
    path.write_text(json.dumps(head))
    with pytest.raises(SegmodelsError, match=message) as caught:
        read_evidence(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "found",
    [foggy(condition=None), replace(foggy(), shard=Shard(0, 2, ("ab" * 32,) * NUMBER))],
    ids=["clean", "shard"],
)
def test_only_a_disturbed_split_comes_in_blocks(tmp_path: Path, found: Evidence) -> None:
    blocks = Blocks((1,) * NUMBER, "ab" * 32)
    path = write_evidence(tmp_path, replace(found, blocks=blocks))
    with pytest.raises(SegmodelsError, match="is for evidence of a disturbance"):
        read_evidence(path)


def test_resized_labels_have_the_pixels_of_a_block(tmp_path: Path) -> None:
    size = {"labels_resized": "nearest", "resize_fixed": [8, 8]}
    inference = {**foggy().identity.inference, **size}
    counts = np.zeros((4, 4, 4), np.int64)
    counts[:, 0, 0] = 64
    whole = evidence(counts, condition=FOG, inference=inference)
    for sizes in ([4], [2, 2], [1, 3]):
        check_evidence(write_evidence(tmp_path, in_blocks(whole, sizes)))
    counts[0, 0, 0] = 65
    other = in_blocks(evidence(counts, condition=FOG, inference=inference), [2, 2])
    with pytest.raises(SegmodelsError, match=r"129 pixels are counted of '000.png'.* have 128"):
        check_evidence(write_evidence(tmp_path, other))


def test_the_finest_of_equal_copies_is_taken() -> None:
    whole = foggy()
    six, four, forged = (
        in_blocks(whole, [6, 6]),
        in_blocks(whole, [4] * 3),
        in_blocks(foggy(1), [12]),
    )
    assert finest([]) is None
    assert finest([six, four, whole]) is whole
    assert finest([six, four]) is four
    assert finest([four, six, foggy(1), foggy(1, condition=None)]) is four
    assert finest([forged, four, whole]) is forged  # other counts: the first is what was asked for
