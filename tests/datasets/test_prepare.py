"""Preparing is all or nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.datasets.described import description, description_path
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.registry import DATASETS
from segmodels.datasets.shapes import Shapes
from segmodels.errors import SegmodelsError, UnknownNameError


@pytest.fixture
def prepared(project):
    """A project whose `shapes` is prepared, and what it then holds."""
    prepare_dataset("shapes")
    return project, contents(project)


def contents(root):
    paths = [*(root / "data").rglob("*"), *(root / "reports").rglob("*")]
    return {path: path.read_bytes() for path in paths if path.is_file()}


def expect(project, edit_yaml, split="test", **fields):
    path = project / "params" / "datasets.yaml"
    edit_yaml(path, lambda entries: entries["shapes"]["splits"].update({split: fields}))


def test_the_registry_and_the_params_agree():
    for name, kind in DATASETS.items():
        entry = load_dataset_entry(name)
        assert kind.name == name
        assert set(entry.splits) == set(kind.splits)
        assert len(kind.palette) == len(kind.class_names) == len(set(kind.class_names))
        twice = 1 if name == "ade20k" else 0  # road and skyscraper, as published
        assert len(set(kind.palette)) == len(kind.palette) - twice


def test_preparing_again_gives_the_same(prepared):
    project, before = prepared
    found = prepare_dataset("shapes")
    assert contents(project) == before
    assert found == description("shapes")
    assert found["classes"] == list(Shapes.class_names)


def test_right_fingerprints_are_accepted(prepared, edit_yaml):
    project, before = prepared
    known = description("shapes")["splits"]["test"]
    expect(project, edit_yaml, images=known["images"], fingerprint=known["fingerprint"])
    prepare_dataset("shapes")
    assert contents(project) == before


@pytest.mark.parametrize(
    ("split", "fields", "message"),
    [
        ("test", {"fingerprint": "ab" * 32}, "split 'test': fingerprint is .* expects abab"),
        ("val", {"images": 7}, "split 'val': images is 2, params/datasets.yaml expects 7"),
        ("tset", {"images": 3}, "Unknown split 'tset'. Did you mean 'test'"),
    ],
)
def test_unexpected_content_loses_nothing(prepared, edit_yaml, split, fields, message):
    project, before = prepared
    expect(project, edit_yaml, split, **fields)
    with pytest.raises(SegmodelsError, match=message) as caught:
        prepare_dataset("shapes")
    assert "'shapes'" in str(caught.value)
    assert contents(project) == before


def test_the_description_can_be_checked_against_the_params(prepared):
    check_expected(load_dataset_entry("shapes"), description("shapes"))


def fail_in(monkeypatch, place):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    owner, name = {
        "drawing": ("segmodels.datasets.shapes.Image.Image", "save"),
        "moving": ("segmodels.datasets.prepare", "replace_folder"),
        "looking": ("segmodels.datasets.prepare", "describe"),
    }[place]
    monkeypatch.setattr(f"{owner}.{name}", full)


@pytest.mark.parametrize("place", ["drawing", "looking", "moving"])
def test_a_full_disk_loses_nothing(prepared, monkeypatch, place):
    project, before = prepared
    fail_in(monkeypatch, place)
    with pytest.raises(SegmodelsError, match=r"shapes.*: No space left on device"):
        prepare_dataset("shapes")
    assert contents(project) == before
    assert [path.name for path in (project / "data").iterdir()] == ["shapes"]


def test_a_failing_rename_brings_the_old_folder_back(prepared, monkeypatch):
    project, before = prepared
    rename = Path.rename

    def failing(self, target):
        if self.name.endswith(".building"):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(SegmodelsError, match="Input/output error"):
        prepare_dataset("shapes")
    assert contents(project) == before


def test_a_killed_preparation_is_started_anew(prepared):
    project, before = prepared
    for name in (".shapes.building", ".shapes.retired"):
        (project / "data" / name / "train").mkdir(parents=True)
    prepare_dataset("shapes")
    assert contents(project) == before
    assert [path.name for path in (project / "data").iterdir()] == ["shapes"]


def test_two_processes_do_not_prepare_one_dataset(prepared):
    project, before = prepared
    lock = cache_dir() / "prepare" / "shapes.lock"
    with (
        only_one(lock, "preparing shapes"),
        pytest.raises(SegmodelsError, match="preparing shapes is already being done by process"),
    ):
        prepare_dataset("shapes")
    assert contents(project) == before


def test_a_data_folder_that_is_a_file_is_named(project):
    (project / "data").touch()
    with pytest.raises(SegmodelsError, match=r"data.*: (Not a directory|File exists)"):
        prepare_dataset("shapes")


def test_unknown_names_suggest_the_nearest(prepared):
    for use in (prepare_dataset, lambda name: open_dataset(name, "test")):
        with pytest.raises(UnknownNameError, match=r"dataset 'shape'. Did you mean 'shapes'"):
            use("shape")
    with pytest.raises(UnknownNameError, match=r"split of shapes 'tets'. Did you mean 'test'"):
        open_dataset("shapes", "tets")


def test_a_missing_description_is_told(project):
    with pytest.raises(SegmodelsError, match=r"shapes\.json: no such file"):
        description("shapes")
    assert not description_path("shapes").parent.exists()
