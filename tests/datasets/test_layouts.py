"""Copies are found in every layout, and what a wrong folder lacks is named."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from copies import (
    SIZE,
    ade20k,
    camvid_720,
    cityscapes,
    coco_164k,
    filled,
    pascal_context,
    voc2012,
    write_image,
    write_label,
)

from segmodels.core.arrays import VOID
from segmodels.datasets.ade20k import ADE20K
from segmodels.datasets.camvid_720 import CamVid720
from segmodels.datasets.cityscapes import Cityscapes
from segmodels.datasets.coco_stuff import CocoStuff10k, CocoStuff164k, CocoStuff182
from segmodels.datasets.pascal_context import PascalContext
from segmodels.datasets.reading.layouts import read_listing
from segmodels.datasets.voc2012 import VOC2012
from segmodels.errors import SegmodelsError


def coco_10k_of_mmseg(root):
    for split in ("train2014", "test2014"):
        name = f"COCO_train2014_{split}"
        write_image(root / "images" / split / f"{name}.jpg")
        label = root / "annotations" / split / f"{name}_labelTrainIds.png"
        write_label(label, filled([0, 1, 171]))
    return root


def published(name, split):
    return "701_StillsRaw_full", "LabeledApproved_full"


COPIES = [
    (ADE20K, "", ade20k, {"train": 3, "val": 3}, {0, 149, VOID}),
    (ADE20K, "ADEChallengeData2016", ade20k, {"train": 3, "val": 3}, {0, 149, VOID}),
    (ADE20K, "data/ade/ADEChallengeData2016", ade20k, {"train": 3, "val": 3}, {0, 149, VOID}),
    (ADE20K, "ade20k/ADEChallengeData2016", ade20k, {"train": 3, "val": 3}, {0, 149, VOID}),
    (Cityscapes, "", cityscapes, {"train": 2, "val": 1}, {0, 1, 2, 13, VOID}),
    (
        Cityscapes,
        "data/cityscapes",
        lambda root: cityscapes(root, trained=True),
        {"train": 2, "val": 1},
        {0, 1, 2, 13, VOID},
    ),
    (
        Cityscapes,
        "cityscapes",
        lambda root: cityscapes(root, ids=False, trained=True),
        {"train": 2, "val": 1},
        {0, 1, 2, 13, VOID},
    ),
    (PascalContext, "", pascal_context, {"train": 1, "val": 2}, {0, 1, 59}),
    (PascalContext, "data/VOCdevkit/VOC2010", pascal_context, {"train": 1, "val": 2}, {0, 1, 59}),
    (
        PascalContext,
        "pcontext/VOCdevkit/VOC2010",
        pascal_context,
        {"train": 1, "val": 2},
        {0, 59, 1},
    ),
    (VOC2012, "VOCdevkit/VOC2012", voc2012, {"train": 1, "val": 2}, {0, 15, 20, VOID}),
    (
        CocoStuff164k,
        "data/coco_stuff164k",
        lambda root: coco_164k(root, "images/{split}", "annotations/{split}"),
        {"train": 1, "val": 1},
        {0, 10, 11, 170, VOID},
    ),
    (
        CocoStuff164k,
        "coco",
        lambda root: coco_164k(root, "{split}", "stuffthingmaps/{split}"),
        {"train": 1, "val": 1},
        {0, 10, 11, 170, VOID},
    ),
    (
        CocoStuff164k,
        "",
        lambda root: coco_164k(root, "images/{split}", "annotations/{split}", "_labelTrainIds.png"),
        {"train": 1, "val": 1},
        {0, 10, 11, 170, VOID},
    ),
    (
        CocoStuff182,
        "",
        lambda root: coco_164k(root, "{split}", "stuffthingmaps_trainval2017/{split}"),
        {"train": 1, "val": 1},
        {0, 10, 12, 181, VOID},
    ),
    (CocoStuff10k, "coco_stuff10k", coco_10k_of_mmseg, {"train": 1, "test": 1}, {0, 170, VOID}),
    (
        CamVid720,
        "",
        lambda root: camvid_720(root, published),
        {"train": 3, "val": 1, "test": 2},
        {3, 4, VOID},
    ),
    (
        CamVid720,
        "CamVid",
        lambda root: camvid_720(root, lambda name, split: (split, f"{split}_labels")),
        {"train": 3, "val": 1, "test": 2},
        {3, 4, VOID},
    ),
]


@pytest.mark.parametrize(("kind", "below", "make", "images", "classes"), COPIES)
def test_a_copy_is_found_and_read(tmp_path, kind, below, make, images, classes):
    make(tmp_path / below)
    place = kind.recognise(tmp_path)
    assert place.root == tmp_path / below
    assert set(place.splits) == set(images)
    for split, number in images.items():
        dataset = kind(tmp_path, split)
        assert len(dataset) == number == len({files.name for files in dataset.files})
        for sample in dataset:
            assert sample.image.shape == (*SIZE, 3)
            assert set(np.unique(sample.label)) <= classes
        assert set(np.unique(dataset.read(0).label)) == classes


def test_a_part_of_a_dataset_is_a_part(tmp_path):
    ade20k(tmp_path, ["validation"])
    assert ADE20K.recognise(tmp_path).splits == ("val",)
    assert len(ADE20K(tmp_path, "val")) == 3
    with pytest.raises(SegmodelsError, match=r"split 'train' of ade20k is not here, only val"):
        ADE20K(tmp_path, "train")


def test_more_splits_go_before_better_labels(tmp_path):
    """labelTrainIds of one split do not hide the other split."""
    cityscapes(tmp_path, trained=True)
    for path in (tmp_path / "gtFine" / "train").rglob("*labelTrainIds.png"):
        path.unlink()
    assert Cityscapes.recognise(tmp_path).splits == ("train", "val")
    assert Cityscapes.recognise(tmp_path).layout.encoding == "ids"


def remove(root, path):
    found = root / path
    found.unlink() if found.is_file() else found.rename(root / "elsewhere")


WRONG = [
    (ADE20K, ade20k, None, "no ade20k here. Expected, as in the challenge's archive: images/"),
    (ADE20K, ade20k, "annotations", r"but annotations/training/ is missing"),
    (
        PascalContext,
        pascal_context,
        "ImageSets",
        r"looks like mmsegmentation and Segmenter, but ImageSets/.*train.txt is missing",
    ),
    (Cityscapes, cityscapes, "gtFine", "but gtFine/train/ is missing"),
    (Cityscapes, cityscapes, "leftImg8bit", "but leftImg8bit/train/ is missing"),
]


@pytest.mark.parametrize(("kind", "make", "lost", "message"), WRONG)
def test_what_a_folder_lacks_is_named(tmp_path, kind, make, lost, message):
    if lost:
        remove(make(tmp_path), lost)
    with pytest.raises(SegmodelsError, match=message) as caught:
        kind.recognise(tmp_path)
    assert f"segmodels data show {kind.name}" in str(caught.value)


def test_folders_without_labels_are_told(tmp_path):
    cityscapes(tmp_path, ids=False)
    with pytest.raises(SegmodelsError, match=r"gtFine/train holds no file \*.*labelTrainIds.png"):
        Cityscapes.recognise(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    ade20k(tmp_path)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SegmodelsError, match=r"annotations/training: cannot be read \(Permission"):
        ADE20K.recognise(tmp_path)


def test_there_must_be_a_folder(tmp_path):
    with pytest.raises(SegmodelsError, match="gone: no such folder"):
        ADE20K.recognise(tmp_path / "gone")


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (["ADE_train_00000002.png"], r"ADE_train_00000002.png: missing. Unpack"),
        (
            ["ADE_train_00000001.png", "ADE_train_00000003.png"],
            "ADE_train_00000001.png: missing and 1 more labels",
        ),
    ],
)
def test_an_image_without_labels_is_named(tmp_path, lost, message):
    ade20k(tmp_path)
    for name in lost:
        (tmp_path / "annotations" / "training" / name).unlink()
    with pytest.raises(SegmodelsError, match=message):
        ADE20K(tmp_path, "train")


def test_a_listed_image_that_is_not_there_is_named(tmp_path):
    pascal_context(tmp_path)
    (tmp_path / "JPEGImages" / "2008_000003.jpg").unlink()
    with pytest.raises(SegmodelsError, match=r"2008_000003.jpg: missing\. "):
        PascalContext(tmp_path, "val")


def test_the_order_of_a_list_is_kept(tmp_path):
    pascal_context(tmp_path)
    names = [files.name for files in PascalContext(tmp_path, "val").files]
    assert names == ["2008_000009", "2008_000003"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "no text"),
        (b"a\nb\na\n", "'a' is listed twice"),
        (b"../../etc/passwd\n", "is no name of an image"),
        (b"/a\n", "is no name of an image"),
        (None, "cannot be read"),
    ],
)
def test_broken_lists_are_named(tmp_path, content, message):
    path = tmp_path / "val.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegmodelsError, match=f"val.txt: .*{message}"):
        read_listing(path)
