from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
from copies import SIZE, coco_164k, filled, write_image, write_label

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.arrays import VOID
from segmodels.datasets.coco_stuff import UNUSED, CocoStuff10k, CocoStuff164k, CocoStuff182
from segmodels.datasets.reading.matlab import read_matrix
from segmodels.errors import SegmodelsError

savemat = pytest.importorskip("scipy.io").savemat


def test_things_have_the_numbers_of_coco(samples):
    categories = json.loads((samples / "coco_panoptic/panoptic_coco_categories.json").read_text())
    compared = [c for c in categories if c["id"] <= 182]
    assert len(compared) == 116
    for category in compared:
        assert CocoStuff182.class_names[category["id"] - 1] == category["name"]


def test_three_counts_of_classes():
    assert len(CocoStuff182.class_names) == 182
    assert len(CocoStuff164k.class_names) == len(CocoStuff10k.class_names) == 171
    left_out = set(CocoStuff182.class_names) - set(CocoStuff164k.class_names)
    assert left_out == {CocoStuff182.class_names[number] for number in UNUSED}


def labelled(root, stored):
    coco_164k(root, "{split}", "stuffthingmaps/{split}")
    write_label(root / "stuffthingmaps/val2017/000000000139.png", filled(stored))
    return root


def test_numbers_nobody_annotated_are_refused_and_counted(tmp_path):
    labelled(tmp_path, [0, 11, 255])
    with pytest.raises(SegmodelsError, match=r"139.png: label 11 is none of .*never annotated"):
        CocoStuff164k(tmp_path, "val").read(0)
    assert set(np.unique(CocoStuff182(tmp_path, "val").read(0).label)) == {0, 11, VOID}


def test_the_stuff_only_maps_of_cocostuffapi_are_refused(samples, tmp_path):
    maps = sorted((samples / "coco_stuff" / "stuff_pixelmaps").glob("*.png"))
    assert len(maps) == 2
    for path in maps:
        write_image(tmp_path / "val2017" / f"{path.stem}.jpg")
        (tmp_path / "stuffthingmaps" / "val2017").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "stuffthingmaps" / "val2017")
    for index in (0, 1):
        with pytest.raises(SegmodelsError, match="182 and 183 occur in the stuff-only maps"):
            CocoStuff164k(tmp_path, "val").read(index)


def test_panoptic_pictures_are_refused(samples, tmp_path):
    name = "000000142238"
    (tmp_path / "val2017").mkdir()
    shutil.copy(samples / "coco_panoptic/images" / f"{name}.jpg", tmp_path / "val2017")
    (tmp_path / "stuffthingmaps/val2017").mkdir(parents=True)
    panoptic = samples / "coco_panoptic/panoptic_examples" / f"{name}.png"
    shutil.copy(panoptic, tmp_path / "stuffthingmaps/val2017")
    with pytest.raises(SegmodelsError, match=r"\(427, 640, 3\).*packed into colours \(panoptic"):
        CocoStuff164k(tmp_path, "val").read(0)


def test_the_archives_are_read_in_place(tmp_path):
    copy = coco_164k(tmp_path / "copy", "{split}", "stuffthingmaps/{split}")
    for split in ("train2017", "val2017"):
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as packed:
            for path in (copy / split).iterdir():
                packed.write(path, f"{split}/{path.name}")
    with zipfile.ZipFile(tmp_path / "stuffthingmaps_trainval2017.zip", "w") as packed:
        for path in (copy / "stuffthingmaps").rglob("*.png"):
            packed.write(path, path.relative_to(copy / "stuffthingmaps"))
    made = tmp_path / "made"
    CocoStuff164k.prepare(load_dataset_entry("coco_stuff_164k"), tmp_path, made)
    for split in CocoStuff164k.splits:
        pairs = zip(CocoStuff164k(made, split), CocoStuff164k(copy, split), strict=True)
        for one, other in pairs:
            np.testing.assert_array_equal(one.label, other.label)


# 10k, and MATLAB's files


def ten_thousand(root, stored=(0, 1, 11, 13, 182), **how):
    for folder in ("images", "annotations", "imageLists"):
        (root / folder).mkdir(parents=True)
    for split, name in {"train": "COCO_train2014_1", "test": "COCO_train2014_2"}.items():
        (root / "imageLists" / f"{split}.txt").write_text(f"{name}\n")
        write_image(root / "images" / f"{name}.jpg")
        content = {"S": filled(stored), "captions": np.array(["a street"], dtype=object)}
        savemat(root / "annotations" / f"{name}.mat", content, **how)
    return root


@pytest.mark.parametrize("compressed", [True, False])
def test_matlab_labels_count_from_one(tmp_path, compressed):
    dataset = CocoStuff10k(ten_thousand(tmp_path, do_compression=compressed), "test")
    label = dataset.read(0).label
    np.testing.assert_array_equal(label, filled([VOID, 0, 10, 11, 170]))


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([1, 255], "label 255 is none of .*how COCO-Stuff 164k is written"),
        ([1, 12], "label 12 is none of the 171 numbers of 1..182"),
    ],
)
def test_wrong_numbers_are_named(tmp_path, stored, message):
    with pytest.raises(SegmodelsError, match=f"COCO_train2014_2.mat: {message}"):
        CocoStuff10k(ten_thousand(tmp_path, stored), "test").read(0)


def test_the_archive_of_10k_is_read_in_place(tmp_path):
    copy, made = ten_thousand(tmp_path / "copy"), tmp_path / "made"
    with zipfile.ZipFile(tmp_path / "cocostuff-10k-v1.1.zip", "w") as packed:
        for path in copy.rglob("*.*"):
            packed.write(path, path.relative_to(copy))
    CocoStuff10k.prepare(load_dataset_entry("coco_stuff_10k"), tmp_path, made)
    np.testing.assert_array_equal(
        CocoStuff10k(made, "train").read(0).label, CocoStuff10k(copy, "train").read(0).label
    )


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float64"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), SIZE, (3, 200)])
def test_a_matrix_is_read_whatever_its_type(tmp_path, kind, compressed, shape):
    matrix = np.random.default_rng(0).integers(0, 183, shape).astype(kind)
    content = {"before": np.eye(3), "S": matrix, "names": np.array(["a", "b"], dtype=object)}
    savemat(tmp_path / "a.mat", content, do_compression=compressed)
    found = read_matrix(tmp_path / "a.mat", "S")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize("compressed", [True, False])
def test_broken_matrices_are_named(tmp_path, compressed):
    path = tmp_path / "a.mat"
    with pytest.raises(SegmodelsError, match=r"a.mat: missing"):
        read_matrix(path, "S")
    savemat(path, {"S": np.full((40, 50), 300)}, do_compression=compressed)
    with pytest.raises(SegmodelsError, match=r"a.mat: matrix 'S' is no label map"):
        read_matrix(path, "S")
    with pytest.raises(SegmodelsError, match=r"a.mat: holds no matrix 'T'"):
        read_matrix(path, "T")
    whole = path.read_bytes()
    for keep in (0, 60, 130, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:keep])
        with pytest.raises(SegmodelsError, match=r"a.mat: (cannot be decoded|holds no matrix)"):
            read_matrix(path, "S")
