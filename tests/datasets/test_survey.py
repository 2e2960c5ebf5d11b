"""A split is decoded once, by any number of threads, and what was found is remembered."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from copies import ade20k
from hypothesis import given
from hypothesis import strategies as st

from segmodels import cli
from segmodels.core.files import combine
from segmodels.datasets import Dataset
from segmodels.datasets.copies import add_dataset
from segmodels.datasets.described import description
from segmodels.datasets.description import summarised
from segmodels.datasets.fingerprint import sample_digest
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.reading.base import Sample
from segmodels.datasets.reading.encoding import value_counts
from segmodels.datasets.survey import kept_survey, survey


@pytest.fixture
def shapes(project: Path) -> Dataset:
    """A prepared split whose survey was forgotten."""
    prepare_dataset("shapes")
    shutil.rmtree(project.parent / "cache" / "surveys")
    return open_dataset("shapes", "train")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the samples that were decoded since."""
    seen: list[str] = []
    read = Dataset.read

    def noted(self: Dataset, index: int) -> Sample:
        seen.append(self.files[index].name)
        return read(self, index)

    monkeypatch.setattr(Dataset, "read", noted)
    return seen


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_the_result_does_not_depend_on_the_number_of_threads(shapes: Dataset, workers: int) -> None:
    samples = list(shapes)
    found = survey(shapes, workers=workers)
    assert found.fingerprint == combine((s.name, sample_digest(s)) for s in samples)
    assert found.fingerprint == description("shapes")["splits"]["train"]["fingerprint"]
    labels = np.concatenate([sample.label.ravel() for sample in samples])
    np.testing.assert_array_equal(found.histogram, np.bincount(labels, minlength=256))
    assert found.sizes == [sample.label.shape for sample in samples]
    assert found.faults == []


def test_nothing_is_decoded_twice(shapes: Dataset, decoded: list[str]) -> None:
    told: list[tuple[int, int]] = []
    found = survey(shapes, lambda done, total: told.append((done, total)))
    assert sorted(decoded) == [files.name for files in shapes.files]
    assert told == [(number, 4) for number in (1, 2, 3, 4)]
    assert survey(shapes, lambda *_: told.clear()) == kept_survey(shapes) == found
    assert (len(decoded), len(told)) == (4, 4)


def test_prepare_check_and_doctor_share_what_was_found(project: Path, decoded: list[str]) -> None:
    prepare_dataset("shapes")
    assert len(decoded) == 9
    assert cli.main(["data", "check", "shapes"]) == 0
    cli.main(["doctor", "--deep"])
    assert len(decoded) == 9


def test_preparing_a_copy_again_decodes_nothing(
    project: Path, tmp_path: Path, decoded: list[str], edit_yaml
) -> None:
    splits = {"train": {"images": 3}, "val": {"images": 3}}
    params = project / "params" / "datasets.yaml"
    edit_yaml(params, lambda entries: entries["ade20k"].update({"splits": splits}))
    add_dataset("ade20k", ade20k(tmp_path / "copy"))
    first = prepare_dataset("ade20k")
    decoded.clear()
    assert prepare_dataset("ade20k") == first
    assert decoded == []


def test_a_killed_survey_goes_on_where_it_was(shapes: Dataset, decoded: list[str]) -> None:
    def kill(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(shapes, kill, workers=1)
    (kept,) = (Path(os.environ["SEGMODELS_CACHE"]) / "surveys").glob("shapes-train*")
    with kept.open("a") as torn:
        torn.write('{"state": "ab')
    assert kept_survey(shapes) is None
    decoded.clear()
    found = survey(shapes)
    assert len(decoded) == 2
    shutil.rmtree(kept.parent)
    assert survey(shapes) == found


def test_only_what_changed_is_decoded_again(shapes: Dataset, decoded: list[str]) -> None:
    before = survey(shapes)
    decoded.clear()
    changed = shapes.files[2]
    os.utime(changed.label, ns=(1, 1))
    assert kept_survey(shapes) is None
    assert survey(shapes) == before
    assert decoded == [changed.name]


def test_a_failing_disk_is_noticed_when_asked(shapes: Dataset, decoded: list[str]) -> None:
    """The file keeps its size and time, and cannot be read any more."""
    survey(shapes)
    image = shapes.files[3].image
    stamp, size = image.stat().st_mtime_ns, image.stat().st_size
    image.write_bytes(bytes(size))
    os.utime(image, ns=(stamp, stamp))
    assert survey(shapes).faults == []
    assert cli.main(["data", "check", "shapes", "--split", "train"]) == 0
    assert cli.main(["data", "check", "shapes", "--split", "train", "--again"]) == 1
    assert f"{image}: cannot be decoded" in kept_survey(shapes).faults[0]


def test_a_folder_may_be_moved(shapes: Dataset, tmp_path: Path, decoded: list[str]) -> None:
    before = survey(shapes)
    decoded.clear()
    moved = type(shapes)(shapes.root.rename(tmp_path / "elsewhere"), "train")
    assert survey(moved).fingerprint == before.fingerprint
    assert decoded == []


def test_another_dataset_of_the_same_files_is_another_survey(
    shapes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey(shapes)
    monkeypatch.setattr(type(shapes), "encoding", "other numbers")
    assert kept_survey(shapes) is None


def test_a_fault_is_looked_at_again_and_the_rest_is_not(
    shapes: Dataset, decoded: list[str]
) -> None:
    image = shapes.files[1].image
    whole, stamp = image.read_bytes(), image.stat()
    image.write_bytes(whole[:60])
    found = survey(shapes)
    assert found.faults == kept_survey(shapes).faults
    assert f"{image}: cannot be decoded" in found.faults[0]
    assert len(found.good) == len(found.images) == 3
    image.write_bytes(whole)
    os.utime(image, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    decoded.clear()
    assert survey(shapes).faults == []
    assert decoded == [shapes.files[1].name]


def test_a_broken_cache_is_none(shapes: Dataset) -> None:
    before = survey(shapes)
    (kept,) = (Path(os.environ["SEGMODELS_CACHE"]) / "surveys").glob("shapes-train*")
    for broken in ("{", "[]", '{"state": 1}', "\xff"):
        kept.write_text(broken)
        assert kept_survey(shapes) is None
    assert survey(shapes) == before


def test_the_cache_does_not_grow_with_files_that_are_gone(shapes: Dataset) -> None:
    cache = Path(os.environ["SEGMODELS_CACHE"])
    for when in range(1, 12):
        for files in shapes.files:
            os.utime(files.image, ns=(when, when))
        survey(shapes)
    (kept,) = (cache / "surveys").glob("shapes-train*")
    assert len(kept.read_text().splitlines()) <= 3 * len(shapes)


def test_sizes_and_pixels_stand_in_the_description(shapes: Dataset) -> None:
    about = description("shapes")["splits"]["train"]
    shapes_of = [sample.label.shape for sample in shapes]
    assert about["sizes"] == {
        f"{height}x{width}": shapes_of.count((height, width)) for height, width in shapes_of
    }
    assert about["total_pixels"] == sum(about["pixels"].values())
    assert about["total_pixels"] == sum(height * width for height, width in shapes_of)


def test_many_sizes_are_told_in_short() -> None:
    few = [(3, 4), (4, 3), (3, 4)]
    assert summarised(few) == {"3x4": 2, "4x3": 1}
    many = [(10, side) for side in range(1, 10)]
    assert summarised(many) == {
        "different": 9,
        "smallest": "10x1",
        "median": "10x5",
        "largest": "10x9",
    }


@given(st.lists(st.integers(0, 255), max_size=60))
def test_value_counts_are_exact_in_pieces(values: list[int]) -> None:
    stored = np.array(values, dtype=np.uint8)
    expected = np.bincount(stored, minlength=256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segmodels.datasets.reading.encoding._EXACT", 7)
        np.testing.assert_array_equal(value_counts(stored), expected)
    np.testing.assert_array_equal(value_counts(stored), expected)
