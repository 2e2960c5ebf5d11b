from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest
from copies import ade20k, filled, write_image, write_label
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.arrays import VOID
from segmodels.datasets.ade20k import ADE20K
from segmodels.errors import SegmodelsError


@pytest.fixture
def validation(tmp_path):
    ade20k(tmp_path, ["validation"])
    return tmp_path


def put(root, stored):
    write_label(root / "annotations/validation/ADE_valid_00000001.png", stored)
    return ADE20K(root, "val")


def test_the_published_files_are_read(samples):
    """Stored 0 is void and every other number one less; the image is as long as its labels."""
    root = samples / "ade20k" / "ADEChallengeData2016"
    dataset = ADE20K(root, "val")
    assert [files.name for files in dataset.files] == [f"ADE_val_0000000{i}" for i in (1, 2, 3)]
    for files, sample in zip(dataset.files, dataset, strict=True):
        stored = np.asarray(Image.open(files.label)).astype(int)
        np.testing.assert_array_equal(sample.label == VOID, stored == 0)
        np.testing.assert_array_equal(sample.label[stored > 0], stored[stored > 0] - 1)
    seen = {dataset.class_names[c] for c in np.unique(dataset.read(0).label) if c != VOID}
    assert {"wall", "building", "sky", "tree", "road"} <= seen


def test_the_names_are_those_of_the_published_list(samples):
    lines = (samples / "ade20k/ADEChallengeData2016/objectInfo150.txt").read_text().splitlines()
    for name, line in zip(ADE20K.class_names, lines[1:], strict=True):
        assert name in [synonym.strip() for synonym in line.split("\t")[-1].split(",")]


def test_the_full_ade_beside_the_challenge_label_is_refused(samples, tmp_path):
    """The same scene in both encodings: colours are refused, the challenge's numbers are read."""
    raw = samples / "ade20k" / "raw_full_ade"
    write_image(tmp_path / "images/validation/a.jpg", (512, 683))
    label = tmp_path / "annotations/validation/a.png"
    label.parent.mkdir(parents=True)
    shutil.copy(raw / "ADE_train_00000970_challenge.png", label)
    assert {VOID, 1, 4, 9, 13, 17, 60} == set(np.unique(ADE20K(tmp_path, "val").read(0).label))
    shutil.copy(raw / "ADE_train_00000970_raw.png", label)
    with pytest.raises(SegmodelsError, match=r"a.png: .*\(768, 1024, 3\).*full ADE20K"):
        ADE20K(tmp_path, "val").read(0)


@pytest.mark.parametrize(
    "mark", ["ADE20K_2021_17_01/index_ade20k.pkl", "index_ade20k.mat", "images/ADE/training/x.jpg"]
)
def test_the_folder_of_the_full_ade_is_refused(tmp_path, mark):
    path = tmp_path / mark
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(SegmodelsError, match="This is the full ADE20K: 3,000 classes"):
        ADE20K.recognise(tmp_path)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ([0, 149, 255], "label 255 is none of the .*0..150. With 255 for void they are reduced"),
        ([0, 151], "label 151 is none of .* The file is damaged"),
    ],
)
def test_other_numbers_are_refused(validation, stored, message):
    with pytest.raises(SegmodelsError, match=f"ADE_valid_00000001.png: {message}"):
        put(validation, filled(stored)).read(0)


@given(stored=st.lists(st.integers(0, 150), min_size=1, max_size=54))
def test_any_challenge_label_is_reduced_once(tmp_path_factory, stored):
    root = ade20k(tmp_path_factory.mktemp("ade", numbered=True), ["validation"])
    label = put(root, filled(stored)).read(0).label
    np.testing.assert_array_equal(label, filled([v - 1 if v else VOID for v in stored]))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_photographs_become_rgb(validation, mode):
    write_image(validation / "images/validation/ADE_valid_00000001.jpg", mode=mode)
    assert ADE20K(validation, "val").read(0).image.shape == (6, 9, 3)


def test_sizes_that_differ_are_named(validation):
    write_image(validation / "images/validation/ADE_valid_00000001.jpg", (6, 10))
    with pytest.raises(SegmodelsError, match=r"00000001.png: labels are 9x6, but .*jpg is 10x6"):
        ADE20K(validation, "val").read(0)


def pack(folder, archive, inside="ADEChallengeData2016"):
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, f"{inside}/{path.relative_to(folder)}")
        packed.writestr(f"{inside}/../../evil.jpg", b"x")
        packed.writestr(f"{inside}/objectInfo150.txt", b"stays inside")


def test_the_archive_is_read_in_place(tmp_path):
    ade20k(tmp_path / "copy")
    pack(tmp_path / "copy", tmp_path / "ADEChallengeData2016.zip")
    made = tmp_path / "made"
    ADE20K.prepare(load_dataset_entry("ade20k"), tmp_path, made)
    assert [path.name for path in made.iterdir()] == ["root.json"]
    for split in ADE20K.splits:
        for one, other in zip(ADE20K(made, split), ADE20K(tmp_path / "copy", split), strict=True):
            assert one.name == other.name
            np.testing.assert_array_equal(one.label, other.label)
    names = [str(files.image) for files in ADE20K(made, "train").files]
    assert names[0] == (
        f"{tmp_path}/ADEChallengeData2016.zip!/"
        "ADEChallengeData2016/images/training/ADE_train_00000001.jpg"
    )
    assert not [name for name in names if "evil" in name]


def test_another_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "ADEChallengeData2016.zip", "w") as packed:
        packed.writestr("release_test/testing/ADE_test_00000001.jpg", b"x")
    with pytest.raises(SegmodelsError, match=r"2016.zip: holds nothing of ade20k"):
        ADE20K.prepare(load_dataset_entry("ade20k"), tmp_path, tmp_path / "made")


@pytest.mark.parametrize(("images", "flags"), [(1999, 0), (2000, 1)])
def test_a_small_part_or_one_flag_is_enough(images, flags):
    ADE20K.check_pixels("val", images, {"flag": flags})


def test_labels_that_were_reduced_already_are_told_by_what_is_never_there():
    with pytest.raises(SegmodelsError, match=r"none of 2000 images has a 'flag'.*as published"):
        ADE20K.check_pixels("val", 2000, {"wall": 5, "flag": 0})
