from __future__ import annotations

from pathlib import Path

import pytest

from segmodels.assets import (
    load_dataset_entries,
    load_dataset_entry,
    load_weights_entries,
    load_weights_entry,
)
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.files import read_yaml

PARAMS = Path(__file__).resolve().parent.parent / "params"
SHA = "0123456789abcdef" * 4
OK = {"state": "ok", "source": "here"}


@pytest.mark.parametrize("path", sorted(PARAMS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_of_params_is_a_mapping_of_names(path):
    assert read_yaml(path)


def test_the_entries_of_this_project_can_be_fetched_or_say_why_not():
    for entry in load_weights_entries().values():
        assert entry.licence or entry.state != "ok"
        assert entry.reason or entry.state == "ok"
        known = all(file.sha256 for file in entry.files)
        assert known != entry.unseen, f"{entry.name}: nothing tells whether its files are right"


def test_every_dataset_can_be_fetched_or_says_why_not():
    for dataset in load_dataset_entries().values():
        assert dataset.licence or dataset.state != "ok"
        assert dataset.reason or dataset.state == "ok"
        # COCO publishes no checksums; the number of images is what is left.
        known = all({"fingerprint", "images"} & set(split) for split in dataset.splits.values())
        for file in dataset.archives:
            assert file.sha256 or file.sha1 or (dataset.splits and known), file.name


@pytest.fixture
def write(tmp_path, edit_yaml):
    def _write(entry):
        path = tmp_path / "entries.yaml"
        path.write_text("{}")
        edit_yaml(path, lambda content: content.update(odd=entry))
        return path

    return _write


def file(**changes):
    return {"name": "a.pth", "url": "https://example.org/a.pth", "sha256": [SHA], **changes}


def test_a_whole_entry(write):
    path = write({"model": "unet", **OK, "licence": "MIT", "files": [file(bytes=3)]})
    entry = load_weights_entries(path)["odd"]
    assert entry.name == "odd"
    assert entry.files[0].sha256 == (SHA,)
    assert entry.files[0].bytes == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "field 'model' is missing"),
        ({"modell": "unet"}, "unknown field 'modell'"),
        ({"state": "fine"}, "field 'state' is one of ok, gated, .*, not 'fine'"),
        ({"state": "lost"}, "state 'lost' needs a 'reason'"),
        ({"files": []}, "state 'ok' needs 'files' to fetch"),
        ({"files": file()}, "field 'files' must be list"),
        ({"files": ["a.pth"]}, "file: expected fields, found str"),
        ({"files": [file(url=None)]}, "file: field 'url' is missing"),
        ({"files": [file(sha256=SHA)]}, "field 'sha256' must be list"),
        ({"files": [file(sha256=[SHA[1:]])]}, "file 'a.pth': '123.* is not a sha256"),
        ({"files": [file(sha256=[SHA.upper()])]}, "is not a sha256"),
        ({"files": [file(sha256=[7])]}, "7 is not a sha256"),
        ({"files": [file(sha256=[])]}, "'a.pth' needs its sha256, or 'unseen: true'"),
        ({"unseen": True}, "'unseen' is for files whose sha256 is not known"),
        ({"files": [file(url="example.org/a.pth")]}, "'url' must begin with https://"),
        ({"files": [file(url="file:///etc/passwd")]}, "'url' must begin with https://"),
        ({"files": [file(name="../../a.pth")]}, "'name' is a file name without folders"),
        ({"files": [file(name="*.pth")]}, "'name' is a file name without folders"),
        ({"files": [file(bytes="1 MB")]}, "field 'bytes' must be int"),
    ],
)
def test_broken_weights_are_named(write, change, message):
    path = write({"model": "unet", **OK, "files": [file()], **change})
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_weights_entries(path)
    assert str(caught.value).startswith(f"{path}, weights 'odd'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": None}, "field 'title' is missing"),
        ({"archive": []}, "unknown field 'archive'"),
        ({"state": "gated"}, "state 'gated' needs a 'reason'"),
        ({"archives": [file(name="a/b.zip")]}, "without folders"),
        ({"archives": [file(sha1=SHA[:39])]}, "file 'a.pth': '.*' is not a sha1"),
        ({"archives": [file(sha1=[SHA[:40]])]}, "field 'sha1' must be str"),
        ({"splits": {"train": {"also": 3}}}, "split 'train': field 'also' must be dict"),
        ({"splits": ["train"]}, "field 'splits' must be dict"),
        ({"splits": {"train": 3}}, "split 'train': expected fields, found int"),
        ({"splits": {"train": {"image": 3}}}, "split 'train': unknown field 'image'"),
        ({"splits": {"train": {"images": "3"}}}, "split 'train': field 'images' must be int"),
        ({"settings": 3}, "field 'settings' must be dict"),
    ],
)
def test_broken_datasets_are_named(write, change, message):
    path = write({"title": "Odd", **OK, **change})
    with pytest.raises(SegmodelsError, match=message) as caught:
        load_dataset_entries(path)
    assert str(caught.value).startswith(f"{path}, dataset 'odd'")


def test_unknown_names_suggest_the_nearest(project):
    with pytest.raises(UnknownNameError, match="Did you mean 'camvid'"):
        load_dataset_entry("camvit")
    with pytest.raises(UnknownNameError, match="Did you mean 'espnet-p2-q8-camvid'"):
        load_weights_entry("espnet-p2-q8")
