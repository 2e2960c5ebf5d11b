"""Reading straight from zip archives."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from copies import ade20k, cityscapes, coco_164k, filled, write_label

from segmodels import steps
from segmodels.datasets.copies import add_dataset
from segmodels.datasets.described import description
from segmodels.datasets.opening import open_dataset
from segmodels.datasets.reading.packed import open_tree
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import data_folder
from segmodels.errors import SegmodelsError

CONTENT = {f"a/{index:03}.bin": os.urandom(index * 50) for index in range(60)}


def inside(member):
    return member.removeprefix("top/") if member.startswith("top/") else None


def write(path, content, packing=zipfile.ZIP_STORED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", packing) as packed:
        packed.writestr("read.me", b"stays inside")
        for name, data in content.items():
            packed.writestr(f"top/{name}", data)
    return path


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def archive(tmp_path, request):
    return write(tmp_path / "some.zip", {**CONTENT, "b/c/text.txt": b"one two"}, request.param)


@pytest.fixture
def root(archive):
    return open_tree((archive,), inside).root


def test_members_look_like_paths(archive, root):
    file, folder = root / "b" / "c/text.txt", root / "b/c/"
    assert (file.name, file.suffix, file.parent) == ("text.txt", ".txt", folder)
    assert (file.is_file(), file.is_dir(), file.exists()) == (True, False, True)
    assert (folder.is_file(), folder.is_dir(), (root / "b").is_dir()) == (False, True, True)
    assert root / "" == root
    assert root.is_dir()
    assert not (root / "b/d").exists()
    assert (file.read_bytes(), file.read_text(), file.stat().st_size) == (b"one two", "one two", 7)
    assert str(file) == f"{archive}!/top/b/c/text.txt"
    assert str(folder) == f"{archive}!/b/c"
    assert sorted((root / "b").walk()) == ["c/text.txt"]
    assert len(list(root.walk())) == len(CONTENT) + 1


def test_what_is_missing_is_named(root, archive):
    with pytest.raises(SegmodelsError, match=f"{archive}!/b/no.txt: missing"):
        (root / "b/no.txt").read_bytes()
    with pytest.raises(FileNotFoundError):
        (root / "b").stat()


def test_threads_may_read_at_the_same_time(root):
    names = list(CONTENT) * 5
    with ThreadPoolExecutor(8) as crew:
        found = list(crew.map(lambda name: (root / name).read_bytes(), names))
    assert found == [CONTENT[name] for name in names]


def wrong_bytes(root):
    return [name for name, data in CONTENT.items() if (root / name).read_bytes() != data]


def wrong_bytes_of_shared(_):
    return wrong_bytes(globals()["SHARED"])


def test_spawned_workers_open_archives_again(root):
    assert wrong_bytes(pickle.loads(pickle.dumps(root))) == []


def test_forked_workers_may_read_at_the_same_time(root):
    (root / "a/001.bin").read_bytes()
    globals()["SHARED"] = root  # not sent: the workers have what their parent opened
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as crew:
        assert list(crew.map(wrong_bytes_of_shared, range(12))) == [[]] * 12


def test_an_archive_that_changed_is_opened_again(tmp_path):
    path = write(tmp_path / "a.zip", {"x": b"1"})
    one = open_tree((path,), inside)
    assert open_tree((path,), inside) is one
    os.utime(write(path, {"x": b"22"}), ns=(1, 1))
    assert (open_tree((path,), inside).root / "x").read_bytes() == b"22"


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 255
    path.write_bytes(content)


def offset(path, name):
    with zipfile.ZipFile(path) as packed:
        return packed.getinfo(f"top/{name}").header_offset


@pytest.mark.parametrize(
    ("at", "message"),
    [(0, "no file begins where the list"), (30 + len("top/a/059.bin") + 100, "damaged")],
)
def test_a_damaged_member_is_named_and_the_others_are_read(archive, at, message):
    flip(archive, offset(archive, "a/059.bin") + at)
    root = open_tree((archive,), inside).root
    with pytest.raises(SegmodelsError, match=f"{archive}!/top/a/059.bin: damaged.*download"):
        (root / "a/059.bin").read_bytes()
    assert (root / "a/058.bin").read_bytes() == CONTENT["a/058.bin"]


def test_other_packings_and_locked_members_are_told(tmp_path):
    path = write(tmp_path / "a.zip", {"x": b"1" * 100}, zipfile.ZIP_BZIP2)
    with pytest.raises(SegmodelsError, match=r"!/top/x: damaged \(packed by method 12; only"):
        (open_tree((path,), inside).root / "x").read_bytes()
    path = write(tmp_path / "b.zip", {"x": b"1"})
    content = path.read_bytes()
    listed = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    flip_bit = bytearray(content)
    flip_bit[listed + 8] |= 1
    path.write_bytes(flip_bit)
    with pytest.raises(SegmodelsError, match=r"!/top/x: damaged \(encrypted\)"):
        (open_tree((path,), inside).root / "x").read_bytes()


def test_an_archive_that_is_none_is_named(tmp_path):
    path = tmp_path / "a.zip"
    with pytest.raises(SegmodelsError, match=f"{path}: missing"):
        open_tree((path,), inside)
    path.write_bytes(b"<html>")
    with pytest.raises(SegmodelsError, match=f"{path}: damaged .*zip"):
        open_tree((path,), inside)


def test_an_archive_cut_short_after_it_was_opened_is_told(archive, root):
    os.truncate(archive, offset(archive, "a/050.bin"))
    with pytest.raises(SegmodelsError, match=r"a/059.bin: damaged"):
        (root / "a/059.bin").read_bytes()


# Datasets in archives


def pack(path, folder, below="", only=""):
    """Zip a copy of a dataset."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and str(file.relative_to(folder)).startswith(only):
                packed.write(file, f"{below}{file.relative_to(folder)}")
    return path


def ade20k_archive(disk, copy):
    ade20k(copy)
    return pack(disk / "ADEChallengeData2016.zip", copy, "ADEChallengeData2016/")


def cityscapes_archives(disk, copy):
    cityscapes(copy)
    for name in ("gtFine", "leftImg8bit"):
        pack(disk / f"{name}_trainvaltest.zip", copy, only=name)
    return disk


def coco_archives(disk, copy):
    coco_164k(copy, "images/{split}", "annotations/{split}")
    for split in ("train2017", "val2017"):
        pack(disk / f"{split}.zip", copy / "images" / split, f"{split}/")
    pack(disk / "stuffthingmaps_trainval2017.zip", copy / "annotations")
    return disk


CASES = {
    "ade20k": (ade20k_archive, {"train": 3, "val": 3}),
    "cityscapes": (cityscapes_archives, {"train": 2, "val": 1}),
    "coco_stuff_164k": (coco_archives, {"train": 1, "val": 1}),
}


@pytest.fixture(params=CASES)
def case(project, tmp_path, edit_yaml, request):
    """A dataset, its archives and the same unpacked."""
    make, images = CASES[request.param]
    splits = {split: {"images": number} for split, number in images.items()}
    edit_yaml(
        project / "params" / "datasets.yaml",
        lambda entries: entries[request.param].update(splits=splits),
    )
    return request.param, make(tmp_path / "disk", tmp_path / "copy"), tmp_path / "copy"


def test_archives_are_used_where_they_lie_and_are_the_same_dataset(project, case):
    name, archives, copy = case
    add_dataset(name, copy)
    unpacked = steps.prepare(name)
    add_dataset(name, archives)
    assert registered(name).archives
    assert steps.prepare(name) == unpacked
    assert sum(path.stat().st_size for path in data_folder(name).iterdir()) < 1000


def test_downloaded_archives_are_read_in_place_and_the_project_may_move(
    project, case, monkeypatch, tmp_path
):
    name, archives, _ = case
    folder = archives if archives.is_dir() else archives.parent
    shutil.copytree(folder, project / "data" / "downloads" / name)
    found = steps.prepare(name)
    assert [path.name for path in data_folder(name).iterdir()] == ["root.json"]
    project.rename(tmp_path / "moved")
    monkeypatch.setenv("SEGMODELS_ROOT", str(tmp_path / "moved"))
    assert len(open_dataset(name, "val")) == found["splits"]["val"]["images"]
    shutil.rmtree(tmp_path / "moved" / "data" / "downloads")
    with pytest.raises(SegmodelsError, match=r"\.zip: .* was downloaded here and is gone"):
        open_dataset(name, "val")


@pytest.fixture
def ade(project, tmp_path, edit_yaml):
    edit_yaml(
        project / "params" / "datasets.yaml",
        lambda entries: entries["ade20k"].update(splits={"val": {"images": 3}}),
    )
    return ade20k_archive(tmp_path / "disk", tmp_path / "copy")


def test_one_of_two_archives_brings_the_other(project, tmp_path):
    cityscapes_archives(tmp_path / "disk", tmp_path / "copy")
    from segmodels.datasets.cityscapes import Cityscapes

    place = Cityscapes.recognise(tmp_path / "disk" / "gtFine_trainvaltest.zip")
    assert (place.splits, len(place.root.tree.archives)) == (("train", "val"), 2)
    (tmp_path / "disk" / "leftImg8bit_trainvaltest.zip").unlink()
    with pytest.raises(SegmodelsError, match=r"!/: no whole cityscapes here.*leftImg8bit/train/"):
        Cityscapes.recognise(tmp_path / "disk" / "gtFine_trainvaltest.zip")


def test_an_archive_may_have_another_name(ade):
    add_dataset("ade20k", ade.rename(ade.with_name("mine.zip")))
    assert len(open_dataset("ade20k", "val")) == 3


def test_unpacked_files_go_before_an_archive_beside_them(ade, tmp_path):
    (tmp_path / "copy").rename(tmp_path / "disk" / "ADEChallengeData2016")
    assert add_dataset("ade20k", tmp_path / "disk").place.root == ade.with_suffix("")


def test_a_half_unpacked_folder_does_not_hide_the_archive(ade, tmp_path):
    copy = (tmp_path / "copy").rename(tmp_path / "disk" / "ADEChallengeData2016")
    shutil.rmtree(copy / "images" / "training")
    assert add_dataset("ade20k", tmp_path / "disk").images == {"train": 3, "val": 3}


def test_wrong_labels_in_an_archive_are_named(ade, tmp_path):
    write_label(tmp_path / "copy/annotations/validation/ADE_valid_00000001.png", filled([255]))
    pack(ade, tmp_path / "copy", "ADEChallengeData2016/")
    inner = "ADEChallengeData2016/annotations/validation/ADE_valid_00000001.png"
    with pytest.raises(SegmodelsError, match=f"{ade}!/{inner}: label 255 is none"):
        add_dataset("ade20k", ade)


def test_what_is_not_read_from_archives_is_told(project, tmp_path):
    path = write(tmp_path / "CamVid.zip", {})
    with pytest.raises(SegmodelsError, match="camvid_720 is not read from such a file; unpack it"):
        add_dataset("camvid_720", path)
    with pytest.raises(SegmodelsError, match="This is the full ADE20K"):
        add_dataset("ade20k", path.rename(tmp_path / "ADE20K_2021_17_01.zip"))
    with pytest.raises(SegmodelsError, match=r"other.zip: holds nothing of ade20k"):
        add_dataset("ade20k", write(tmp_path / "other.zip", {"x.jpg": b""}))


def test_an_archive_that_has_gone_is_told(ade):
    add_dataset("ade20k", ade)
    ade.unlink()
    with pytest.raises(SegmodelsError, match=r"2016\.zip: ade20k was registered here and is gone"):
        open_dataset("ade20k", "val")


def test_pixels_are_those_of_the_unpacked_files(ade, tmp_path):
    add_dataset("ade20k", ade)
    packed = [open_dataset("ade20k", "val").read(index) for index in range(3)]
    add_dataset("ade20k", tmp_path / "copy")
    for one, other in zip(packed, open_dataset("ade20k", "val"), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.label, other.label)
    steps.prepare("ade20k")
    assert description("ade20k")["splits"]["val"]["images"] == 3


def test_a_damaged_member_is_left_out_when_asked(ade):
    add_dataset("ade20k", ade, ["val"])
    damaged = open_dataset("ade20k", "val").files[1].image
    entry = damaged.tree.entries[damaged.path]
    header = 30 + len(entry.name)
    flip(ade, entry.offset + header + entry.packed // 2)
    with pytest.raises(SegmodelsError, match=f"{ade}!/.*: damaged.*--skip-unreadable"):
        steps.prepare("ade20k")
    add_dataset("ade20k", ade, ["val"], skip=True)
    steps.prepare("ade20k")
    about = description("ade20k")["splits"]["val"]
    assert about["images"] == 2
    assert list(about["skipped"]) == [damaged.name.removesuffix(".jpg")]
    assert about["skipped"][damaged.name.removesuffix(".jpg")].startswith(f"{damaged.name}: dama")
    left = open_dataset("ade20k", "val")
    assert len(left) == 2
    assert len(list(left)) == 2
