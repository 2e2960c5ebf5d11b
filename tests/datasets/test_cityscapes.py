from __future__ import annotations

import zipfile

import numpy as np
import pytest
from copies import IDS, SIZE, TRAINED, cityscapes, filled, write_label
from PIL import Image

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.arrays import VOID
from segmodels.datasets.cityscapes import Cityscapes
from segmodels.errors import SegmodelsError

NAME = "munster_000000_000019_gtFine"


def label(root, kind):
    return root / "gtFine" / "val" / "munster" / f"{NAME}_{kind}.png"


def test_published_labels_become_the_classes_of_the_official_script(samples):
    """The two sample masks were resized separately, which moves borders: 77 of 32,768 pixels."""
    dataset = Cityscapes(samples / "cityscapes", "val")
    assert dataset.layout.encoding == "train ids"
    ((files, different),) = dataset.disagreements()
    assert (files.name, different) == ("frankfurt_000000_000294", 77)
    official = np.asarray(Image.open(files.label))
    np.testing.assert_array_equal(dataset.read(0).label, official)


def test_label_ids_alone_are_enough(samples, tmp_path):
    city = tmp_path / "gtFine" / "val" / "frankfurt"
    city.mkdir(parents=True)
    (tmp_path / "leftImg8bit").symlink_to(samples / "cityscapes" / "leftImg8bit")
    real = samples / "cityscapes" / "gtFine" / "val" / "frankfurt"
    name = "frankfurt_000000_000294_gtFine"
    (city / f"{name}_labelIds.png").symlink_to(real / f"{name}_labelIds.png")
    dataset = Cityscapes(tmp_path, "val")
    found = dataset.read(0).label
    official = np.asarray(Image.open(real / f"{name}_labelTrainIds.png"))
    assert np.count_nonzero(found != official) == 77
    assert list(dataset.disagreements()) == []


def test_both_ways_of_writing_labels_give_the_same(tmp_path):
    ids = Cityscapes(cityscapes(tmp_path / "ids"), "train")
    trained = Cityscapes(cityscapes(tmp_path / "trained", trained=True), "train")
    assert (ids.layout.encoding, trained.layout.encoding) == ("ids", "train ids")
    for one, other in zip(ids, trained, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.label, other.label)
        np.testing.assert_array_equal(one.label, filled(TRAINED))
    assert list(trained.disagreements()) == []


def test_labels_that_do_not_follow_from_label_ids_are_counted(tmp_path):
    cityscapes(tmp_path, trained=True)
    write_label(label(tmp_path, "labelTrainIds"), filled((*TRAINED[:-1], 7)))
    ((files, different),) = Cityscapes(tmp_path, "val").disagreements()
    assert files.name == "munster_000000_000019"
    assert different == np.count_nonzero(filled(range(7)) == 6)


def test_labels_of_another_size_disagree_everywhere(tmp_path):
    cityscapes(tmp_path, trained=True)
    write_label(label(tmp_path, "labelTrainIds"), filled(TRAINED)[:-1])
    ((_, different),) = Cityscapes(tmp_path, "val").disagreements()
    assert different == SIZE[0] * SIZE[1]


@pytest.mark.parametrize(
    ("kind", "stored", "message"),
    [
        ("labelTrainIds", IDS[:6], "label 26 is none of .*These are labelIds. Delete the"),
        ("labelTrainIds", (*IDS[:6], 200), "label 26, 200 is none of .*damaged"),
        ("labelIds", TRAINED, "these are labelTrainIds .* under the name of labelIds"),
        ("labelIds", (7, 34), "label 34 is none of the labelIds 0..33"),
    ],
)
def test_labels_written_the_other_way_are_told(tmp_path, kind, stored, message):
    cityscapes(tmp_path, ids=kind == "labelIds", trained=kind == "labelTrainIds")
    write_label(label(tmp_path, kind), filled(stored))
    with pytest.raises(SegmodelsError, match=f"{NAME}_{kind}.png: {message}"):
        Cityscapes(tmp_path, "val").read(0)


def test_void_everywhere_is_no_wrong_encoding(tmp_path):
    cityscapes(tmp_path)
    write_label(label(tmp_path, "labelIds"), filled([0, 1, 4]))
    assert set(np.unique(Cityscapes(tmp_path, "val").read(0).label)) == {VOID}


def test_instance_ids_are_refused(tmp_path):
    cityscapes(tmp_path)
    label(tmp_path, "instanceIds").replace(label(tmp_path, "labelIds"))
    with pytest.raises(SegmodelsError, match=r"decodes to uint16.*Cityscapes instanceIds"):
        Cityscapes(tmp_path, "val").read(0)


def test_coarse_labels_are_another_set(tmp_path):
    (tmp_path / "gtCoarse" / "train").mkdir(parents=True)
    with pytest.raises(SegmodelsError, match="gtCoarse are the coarse labels"):
        Cityscapes.recognise(tmp_path)


def test_the_two_archives_are_read_in_place(tmp_path):
    copy, made, entry = cityscapes(tmp_path / "copy"), tmp_path / "made", "cityscapes"
    for folder, archive in {
        "gtFine": "gtFine_trainvaltest.zip",
        "leftImg8bit": "leftImg8bit_trainvaltest.zip",
    }.items():
        with zipfile.ZipFile(tmp_path / archive, "w") as packed:
            packed.writestr("license.txt", b"stays inside")
            packed.writestr(f"{folder}/test/berlin/b_leftImg8bit.png", b"no labels for it")
            packed.writestr(f"{folder}/val/../../b_leftImg8bit.png", b"evil")
            for path in sorted((copy / folder).rglob("*.png")):
                packed.write(path, path.relative_to(copy))
    Cityscapes.prepare(load_dataset_entry(entry), tmp_path, made)
    assert len(Cityscapes(made, "train")) == 2
    np.testing.assert_array_equal(Cityscapes(made, "val").read(0).label, filled(TRAINED))
    assert [path.name for path in made.iterdir()] == ["root.json"]
    assert list(Cityscapes(made, "val").disagreements()) == []
    with pytest.raises(SegmodelsError, match=r"!/gtFine/val/munster/\w+_labelIds.png: damaged"):
        damaged(tmp_path / "gtFine_trainvaltest.zip", made)


def damaged(archive, made):
    """Turn over a byte within the label, whose own checksum is not looked at."""
    with zipfile.ZipFile(archive) as packed:
        (one,) = (
            m
            for m in packed.infolist()
            if m.filename.endswith("_000019_gtFine_labelIds.png") and "/val/" in m.filename
        )
    content = bytearray(archive.read_bytes())
    content[one.header_offset + 30 + len(one.filename) + one.compress_size // 2] ^= 255
    archive.write_bytes(content)
    Cityscapes(made, "val").read(0)
