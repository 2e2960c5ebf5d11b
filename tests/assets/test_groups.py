"""Images of one drive are one after another, and are taken together."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segmodels.assets.entries import load_dataset_entries
from segmodels.assets.groups import Grouping, units_of
from segmodels.core.settings import project_root
from segmodels.errors import SegmodelsError
from segmodels.evidence import find_evidence

DRIVES = Grouping(kind="sequence", pattern=r"([^_]+)_", block=3)


def test_blocks_are_consecutive_by_name_whatever_their_order() -> None:
    names = ["b_2", "a_1", "b_1", "a_2", "a_3", "b_4", "a_4", "b_3", "b_5", "a_5", "b_6"]
    found = units_of(names, DRIVES)
    by_unit = {
        unit: sorted(name for name, u in zip(names, found.places, strict=True) if u == unit)
        for unit in set(found.places)
    }
    assert by_unit == {
        0: ["a_1", "a_2", "a_3"],
        1: ["a_4", "a_5"],
        2: ["b_1", "b_2", "b_3"],
        3: ["b_4", "b_5", "b_6"],
    }
    assert found.number == 4
    assert found.words == "4 blocks of 2 to 3 consecutive images in 2 sequences"


@given(st.integers(1, 200), st.integers(1, 30))
def test_blocks_of_a_drive_differ_by_one_image_at_most(number: int, block: int) -> None:
    names = [f"a_{i:04d}" for i in range(number)]
    found = units_of(names, Grouping(kind="sequence", pattern=r"([^_]+)_", block=block))
    sizes = Counter(found.places).values()
    assert len(sizes) == found.number == max(1, round(number / block))
    assert max(sizes) - min(sizes) <= 1
    assert list(found.places) == sorted(found.places)


def test_whole_groups_and_single_images() -> None:
    names = ["a_1", "b_1", "a_2"]
    cities = units_of(names, Grouping(kind="city", pattern=r"([^_]+)_", block=0))
    assert (cities.places, cities.words) == ((0, 1, 0), "2 cities")
    alone = units_of(names, None)
    assert (alone.places, alone.words) == ((0, 1, 2), "3 images")
    assert units_of([], DRIVES).number == 0


@given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=8), max_size=3), st.integers(1, 5))
def test_units_that_share_a_run_are_one(runs: list[list[int]], block: int) -> None:
    number = max(map(sum, runs), default=6)
    names = [f"a_{place:02d}" for place in range(number)]
    joined = [(*sizes, *[1] * (number - sum(sizes))) for sizes in runs]
    grouping = Grouping(kind="drive", pattern="(.)", block=block)
    alone, found = (units_of(names, grouping, one).places for one in ((), joined))
    assert found == _joined_slowly(alone, joined)


def _joined_slowly(units: tuple[int, ...], joined: list[tuple[int, ...]]) -> tuple[int, ...]:
    same = list(units)
    for sizes in joined:
        for end, size in zip(accumulate(sizes), sizes, strict=True):
            inside = set(same[end - size : end])
            same = [min(inside) if one in inside else one for one in same]
    return tuple(sorted(set(same)).index(one) for one in same)


def test_thousands_of_runs_join_at_once() -> None:
    """In the square of their number this would take an hour."""
    number = 100_000
    names = [f"a_{place:06d}" for place in range(number)]
    pairs = (2,) * (number // 2), (1, *(2,) * (number // 2 - 1), 1)
    assert units_of(names, None, pairs[:1]).number == number // 2
    assert units_of(names, None, pairs).number == 1


def test_groups_that_a_run_joins_are_told() -> None:
    cities = Grouping(kind="city", pattern="(.)", block=0)
    found = units_of(["a_1", "b_1", "b_2", "c_1"], cities, [(2, 1, 1)])
    assert (found.places, found.number) == ((0, 0, 0, 1), 2)
    assert found.words == "2 blocks of 1 to 3 consecutive images in 3 cities"


def test_a_name_that_tells_no_group_is_refused() -> None:
    with pytest.raises(SegmodelsError, match=r"image 'x' has no sequence .*datasets\.yaml"):
        units_of(["a_1", "x"], DRIVES)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"kind": "city", "pattern": "[^_]+_", "block": 1}, "expected a group in brackets"),
        (
            {"kind": "city", "pattern": "([^_]+", "block": 1},
            "expected a regular expression .missing",
        ),
        (
            {"kind": "city", "pattern": "(a)", "block": -1},
            "field 'groups.block': expected .* 0, found -1",
        ),
        ({"kind": "city", "pattern": "(a)"}, "'groups.block' is missing"),
    ],
)
def test_broken_groups_are_named(tmp_path, groups, message) -> None:
    path = tmp_path / "datasets.yaml"
    entry = {"title": "T", "state": "ok", "source": "s", "groups": groups}
    path.write_text(yaml.safe_dump({"toy": entry}))
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_dataset_entries(path)
    assert "dataset 'toy': field 'groups." in str(caught.value)


def test_the_datasets_of_this_project() -> None:
    entries = load_dataset_entries()
    cities = ["frankfurt"] * 267 + ["lindau"] * 59 + ["munster"] * 174
    names = [f"{city}_{i:06d}_000019" for i, city in enumerate(cities)]
    found = units_of(names, entries["cityscapes"].groups)
    assert found.words == "25 blocks of 19 to 21 consecutive images in 3 cities"
    evidence = next(iter(find_evidence(project_root() / "reports/evidence/camvid-espnet")))
    names = [image.image for image in evidence.images]
    found = units_of(names, entries["camvid"].groups)
    assert found.words == "12 blocks of 19 to 21 consecutive images in 2 sequences"
    for name in ("shapes", "ade20k", "coco_stuff_164k", "pascal_context"):
        assert entries[name].groups is None


def test_of_every_tenth_image_blocks_hold_a_tenth() -> None:
    """The same stretch of a drive is one unit, whether all its frames are counted or some."""
    drives = Grouping(kind="drive", pattern=r"([^_]+)_", block=20)
    names = [f"{drive}_{frame:04d}" for drive in "ab" for frame in range(100)]
    whole, some = units_of(names, drives), units_of(names[::10], drives, every=10)
    assert (whole.number, some.number) == (10, 10)
    assert some.places == whole.places[::10]
    assert whole.words == "10 blocks of 20 consecutive images in 2 drives"
    assert some.words == "10 blocks of 2 of 20 images, one in 10, in 2 drives"
    sparse = units_of(names[::50], drives, every=50)
    assert (sparse.number, sparse.words) == (4, "4 images, one in 50, in 2 drives")
