"""PASCAL VOC 2012: its archive, the labels of `trainaug`, and what is taken for it."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from copies import filled, pascal_context, voc2012, write_label

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.arrays import VOID
from segmodels.datasets.voc2012 import VOC2012
from segmodels.errors import SegmodelsError


def test_labels_of_trainaug_are_vocs_own_where_it_has_them(tmp_path: Path) -> None:
    voc2012(tmp_path, augmented=True)
    write_label(tmp_path / "SegmentationClassAug" / "2007_000032.png", filled([3]))
    dataset = VOC2012(tmp_path, "trainaug")
    assert [sorted(set(np.unique(sample.label))) for sample in dataset] == [
        [0, 15, 20, VOID],
        [0, 20],
    ]


def test_a_label_that_neither_has_is_named(tmp_path: Path) -> None:
    voc2012(tmp_path, augmented=True)
    with (tmp_path / "ImageSets/Segmentation/trainaug.txt").open("a") as listing:
        listing.write("2007_000027\n")
    with pytest.raises(SegmodelsError, match=r"SegmentationClassAug/2007_000027\.png: missing"):
        VOC2012(tmp_path, "trainaug")


def test_without_sbd_there_is_no_trainaug(tmp_path: Path) -> None:
    voc2012(tmp_path)
    with pytest.raises(SegmodelsError, match="'trainaug' of voc2012 is not here, only train, val"):
        VOC2012(tmp_path, "trainaug")


def test_the_archive_is_unpacked_as_far_as_it_is_labelled(tmp_path: Path) -> None:
    voc2012(tmp_path / "VOCdevkit" / "VOC2012")
    with tarfile.open(tmp_path / "VOCtrainval_11-May-2012.tar", "w") as packed:
        packed.add(tmp_path / "VOCdevkit", "VOCdevkit")
    made = tmp_path / "made"
    entry = load_dataset_entry("voc2012")
    VOC2012.prepare(entry, tmp_path, made)
    assert [len(VOC2012(made, split)) for split in ("train", "val")] == [1, 2]
    assert len(list((made / "JPEGImages").iterdir())) == 3
    with tarfile.open(tmp_path / "VOCtrainval_11-May-2012.tar", "w") as packed:
        packed.add(tmp_path / "VOCdevkit/VOC2012", "VOCdevkit/VOC2007")
    with pytest.raises(SegmodelsError, match=r"2012\.tar: holds no VOC2012/Segm.*another archive"):
        VOC2012.prepare(entry, tmp_path, tmp_path / "again")


def test_a_real_label_is_read_with_its_outline(samples: Path, tmp_path: Path) -> None:
    voc2012(tmp_path)
    for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        source = samples / "voc_palette" / folder / f"1.{suffix}"
        shutil.copy(source, tmp_path / folder / f"2007_000032.{suffix}")
    (sample,) = VOC2012(tmp_path, "train")
    assert set(np.unique(sample.label)) <= {0, 8, VOID}
    assert 8 in sample.label
    assert VOC2012.class_names[8] == "cat"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("VOCdevkit/VOC2007/JPEGImages", "This is VOC2007; papers that say PASCAL VOC 2012"),
        ("dataset/cls", r"This is SBD alone.*SegmentationClassAug/\*\.png beside"),
    ],
)
def test_other_datasets_are_told(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    with pytest.raises(SegmodelsError, match=message):
        VOC2012.recognise(tmp_path)


@pytest.mark.parametrize(
    ("stored", "message"),
    [([0, 59], "label 59 is none of .*masks of Pascal Context"), ([0, 90], "unpack VOCtrain")],
)
def test_other_masks_are_told(tmp_path: Path, stored: list[int], message: str) -> None:
    voc2012(tmp_path)
    write_label(tmp_path / "SegmentationClass" / "2007_000032.png", filled(stored))
    with pytest.raises(SegmodelsError, match=message):
        VOC2012(tmp_path, "train").read(0)


def test_pascal_context_is_not_vocs_segmentation(tmp_path: Path) -> None:
    pascal_context(tmp_path)
    with pytest.raises(SegmodelsError, match=r"but SegmentationClass/, .*train\.txt is missing"):
        VOC2012.recognise(tmp_path)
