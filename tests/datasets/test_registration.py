"""Copies that are on this machine: added where they lie, prepared, moved, forgotten."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml
from copies import ade20k, filled, pascal_context, write_image, write_label

from segmodels import steps
from segmodels.assets.entries import load_dataset_entry
from segmodels.core import paths
from segmodels.datasets.copies import add_dataset, forget_dataset
from segmodels.datasets.described import described_split, description, description_path
from segmodels.datasets.fingerprint import check_number
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.prepare import prepare_dataset
from segmodels.datasets.reading.folder import Copy
from segmodels.datasets.registration import registered, registration_path
from segmodels.datasets.registry import data_folder, splits_here
from segmodels.errors import SegmodelsError, UnknownNameError


@pytest.fixture
def counts(project, edit_yaml):
    """Let `params/datasets.yaml` expect small numbers of images."""

    def _counts(name, **splits):
        edit_yaml(
            project / "params" / "datasets.yaml",
            lambda entries: entries[name].update(splits=splits),
        )

    _counts("ade20k", train={"images": 3}, val={"images": 3})
    return _counts


@pytest.fixture
def copy(tmp_path, counts):
    return ade20k(tmp_path / "disk" / "ADEChallengeData2016")


def bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_copy_is_used_where_it_lies(project, copy):
    found = add_dataset("ade20k", copy.parent)
    assert (found.place.root, found.images) == (copy, {"train": 3, "val": 3})
    assert bytes_below(project / "data") < 1000
    dataset = open_dataset("ade20k", "val")
    assert [files.image.parent for files in dataset.files] == [copy / "images/validation"] * 3
    assert set(np.unique(dataset.read(0).label)) == {0, 149, 255}
    assert splits_here("ade20k") == ("train", "val")


def test_preparing_a_copy_describes_it_and_copies_nothing(project, copy):
    add_dataset("ade20k", copy)
    steps.ensure_dataset("ade20k")
    assert described_split("ade20k", "val")["images"] == 3
    assert bytes_below(project / "data") < 1000
    before = description_path("ade20k").read_bytes()
    steps.ensure_dataset("ade20k")
    assert description_path("ade20k").read_bytes() == before
    assert [path.name for path in data_folder("ade20k").iterdir()] == ["root.json"]


def test_the_stages_of_dvc_go_the_same_way(project, copy):
    """DVC deletes what a stage makes before it runs; the copy must be found again."""
    add_dataset("ade20k", copy)
    shutil.rmtree(data_folder("ade20k"))
    folder = steps.download("ade20k")
    assert [path.name for path in folder.iterdir()] == ["root.json"]
    found = steps.prepare("ade20k")
    assert found == description("ade20k")
    assert len(open_dataset("ade20k", "train")) == 3


def test_a_fingerprint_does_not_depend_on_the_place_or_the_way_there(project, copy, tmp_path):
    add_dataset("ade20k", copy)
    one = steps.prepare("ade20k")
    shutil.copytree(copy, tmp_path / "elsewhere")
    add_dataset("ade20k", tmp_path / "elsewhere")
    assert steps.prepare("ade20k") == one


def test_another_copy_is_described_again(project, copy, tmp_path):
    """Evidence must not carry the fingerprint of images that are not looked at any more."""
    add_dataset("ade20k", copy)
    steps.ensure_dataset("ade20k")
    before = described_split("ade20k", "val")["fingerprint"]
    other = ade20k(tmp_path / "other")
    write_label(other / "annotations/validation/ADE_valid_00000001.png", filled([9]))
    add_dataset("ade20k", other)
    assert not description_path("ade20k").exists()
    steps.ensure_dataset("ade20k")
    assert described_split("ade20k", "val")["fingerprint"] != before


def test_adding_the_same_again_keeps_its_description(project, copy):
    add_dataset("ade20k", copy)
    steps.ensure_dataset("ade20k")
    add_dataset("ade20k", copy)
    assert description_path("ade20k").is_file()


def test_one_split_is_enough(project, copy):
    add_dataset("ade20k", copy, ["val"])
    found = steps.prepare("ade20k")
    assert (list(found["splits"]), found["absent"]) == (["val"], ["train"])
    steps.ensure_dataset("ade20k")
    with pytest.raises(SegmodelsError, match="split 'train' of ade20k is not here, only val"):
        open_dataset("ade20k", "train")
    with pytest.raises(SegmodelsError, match="split 'train' of ade20k was not here when"):
        described_split("ade20k", "train")


def test_a_split_that_is_not_there_is_named(copy):
    shutil.rmtree(copy / "annotations" / "training")
    with pytest.raises(SegmodelsError, match="split 'train' lacks annotations/training/"):
        add_dataset("ade20k", copy, ["train"])
    with pytest.raises(UnknownNameError, match=r"split of ade20k 'vel'. Did you mean 'val'"):
        add_dataset("ade20k", copy, ["vel"])


def test_a_copy_that_has_gone_is_told(project, copy):
    add_dataset("ade20k", copy)
    copy.rename(copy.with_name("moved"))
    with pytest.raises(SegmodelsError, match=r"was registered here and is gone.*data add ade20k"):
        open_dataset("ade20k", "val")


def test_files_that_go_later_are_named(project, copy):
    add_dataset("ade20k", copy)
    (copy / "images/validation/ADE_valid_00000002.jpg").unlink()
    (copy / "annotations/validation/ADE_valid_00000003.png").unlink()
    with pytest.raises(SegmodelsError, match=r"ADE_valid_00000003.png: missing"):
        open_dataset("ade20k", "val")


def break_count(copy):
    (copy / "images/validation/ADE_valid_00000003.jpg").unlink()


def break_label(copy):
    write_label(copy / "annotations/validation/ADE_valid_00000003.png", filled([0, 149, 255]))


def break_size(copy):
    write_image(copy / "images/validation/ADE_valid_00000001.jpg", (7, 9))


def break_file(copy):
    (copy / "images/validation/ADE_valid_00000001.jpg").write_bytes(b"no picture")


def break_all(copy):
    shutil.rmtree(copy / "images" / "validation")
    (copy / "images" / "validation").mkdir()
    shutil.rmtree(copy / "images" / "training")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_count, "split 'val': images is 2, params/datasets.yaml expects 3"),
        (break_label, "label 255 is none of the challenge's labels"),
        (break_size, r"labels are 9x6, but ADE_valid_00000001.jpg is 9x7"),
        (break_file, r"ADE_valid_00000001.jpg: cannot be decoded"),
        (break_all, "no ade20k here"),
    ],
)
def test_a_broken_copy_is_not_added(project, copy, damage, message):
    damage(copy)
    with pytest.raises(SegmodelsError, match=message):
        add_dataset("ade20k", copy)
    assert not registration_path("ade20k").exists()
    assert not data_folder("ade20k").exists()


def test_a_broken_copy_does_not_replace_a_good_one(project, copy, tmp_path):
    add_dataset("ade20k", copy)
    other = ade20k(tmp_path / "other")
    break_label(other)
    with pytest.raises(SegmodelsError, match="label 255"):
        add_dataset("ade20k", other)
    assert registered("ade20k") == Copy(path=copy, splits=("train", "val"))
    assert len(list(open_dataset("ade20k", "val"))) == 3


def test_a_wrong_label_between_the_ones_looked_at_is_found_when_prepared(project, tmp_path, counts):
    copy = ade20k(tmp_path / "copy")
    for index in (4, 5):
        write_image(copy / f"images/validation/ADE_valid_0000000{index}.jpg")
        write_label(copy / f"annotations/validation/ADE_valid_0000000{index}.png", filled([1]))
    write_label(copy / "annotations/validation/ADE_valid_00000004.png", filled([200]))
    counts("ade20k", train={"images": 3}, val={"images": 5})
    add_dataset("ade20k", copy)
    with pytest.raises(SegmodelsError, match=r"ADE_valid_00000004.png: label 200"):
        steps.prepare("ade20k")
    assert not description_path("ade20k").exists()


def test_known_other_numbers_of_images_are_notes(tmp_path, counts):
    counts("pascal_context", train={"images": 1}, val={"images": 3, "also": {2: "a reason"}})
    found = add_dataset("pascal_context", pascal_context(tmp_path / "VOC2010"))
    assert found.notes == ("val has 2 images, not 3: a reason",)
    assert steps.prepare("pascal_context")["splits"]["val"]["images"] == 2


def test_both_numbers_of_pascal_context_are_known():
    entry = load_dataset_entry("pascal_context")
    assert check_number(entry, "val", 5104) == []
    assert check_number(entry, "val", 5105) == [
        "val has 5105 images, not 5104: the number in mmsegmentation's documentation"
    ]
    with pytest.raises(SegmodelsError, match=r"images is 5103, params/datasets\.yaml expects 5104"):
        check_number(entry, "val", 5103)


def test_forgetting_leaves_the_copy_alone(project, copy):
    add_dataset("ade20k", copy)
    before, downloads = bytes_below(copy), steps.download("ade20k")
    assert forget_dataset("ade20k") == copy
    assert bytes_below(copy) == before > 0
    assert not data_folder("ade20k").exists()
    assert list(downloads.iterdir()) == []
    with pytest.raises(SegmodelsError, match="no copy of 'ade20k' was added"):
        forget_dataset("ade20k")


def test_what_is_drawn_or_small_needs_no_copy(project, tmp_path):
    with pytest.raises(SegmodelsError, match="shapes needs no copy of yours"):
        add_dataset("shapes", tmp_path)


def test_what_has_no_reader_cannot_be_added(project, tmp_path):
    with pytest.raises(SegmodelsError, match="'cityscapes_c' is gated: it is made from Cityscapes"):
        add_dataset("cityscapes_c", tmp_path)


def test_without_copy_and_archive_the_way_is_told(project):
    with pytest.raises(SegmodelsError, match="camvid_720 cannot be fetched by a program"):
        steps.ensure_dataset("camvid_720")
    with pytest.raises(SegmodelsError, match=r"'cityscapes' is gated.*data show cityscapes"):
        steps.ensure_dataset("cityscapes")
    with pytest.raises(SegmodelsError, match=r"not prepared.*segmodels data add ade20k PATH"):
        splits_here("ade20k")


def test_a_pointer_that_says_nothing_is_named(project, copy):
    add_dataset("ade20k", copy)
    pointer = data_folder("ade20k") / "root.json"
    pointer.write_text(json.dumps({"path": str(copy)}))
    with pytest.raises(SegmodelsError, match=r"root.json: field 'splits' is missing"):
        open_dataset("ade20k", "val")


def test_runs_put_every_dataset_into_one_group(project, edit_yaml):
    from segmodels.runs.suite import active_text

    runs, suites = project / "params" / "runs", project / "params" / "suites"
    names = ("shapes", "ade20k", "cityscapes", "camvid_720")
    text = (runs / "shapes-segformer-nano.yaml").read_text()
    for name in names:
        (runs / f"on-{name}.yaml").write_text(text)
        edit_yaml(runs / f"on-{name}.yaml", lambda r, n=name: r.update(dataset=n, split="val"))
    (suites / "all.yaml").write_text(f"title: all\nruns: [{', '.join(f'on-{n}' for n in names)}]\n")
    groups = yaml.safe_load(active_text(["all"]))
    assert groups["downloaded"] == ["ade20k", "cityscapes"]
    assert (groups["generated"], groups["registered"]) == (["shapes"], ["camvid_720"])


def test_archives_of_what_is_added_are_not_fetched(project, copy):
    add_dataset("ade20k", copy)
    prepare_dataset("ade20k", None)
    steps.ensure_dataset("ade20k")
    assert not paths.downloads("ade20k").exists()
