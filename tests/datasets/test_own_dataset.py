"""A user's own dataset: read as described, and everything that goes wrong told in one line."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import own_images
import pytest
import small_project

from segmodels import cli
from segmodels.assets.entries import load_dataset_entries
from segmodels.assets.own_dataset import load_own_dataset
from segmodels.core.arrays import VOID
from segmodels.datasets import prepare_dataset
from segmodels.datasets.own import add_own, open_own
from segmodels.datasets.reading.pictures import read_grey
from segmodels.datasets.reading.templates import matching
from segmodels.errors import SegmodelsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return own_images.draw(tmp_path / "mine")


def refused(place: Path, split: str = "train", **changes: object) -> str:
    """The one line that opening and reading a split ends in."""
    with pytest.raises(SegmodelsError) as caught:
        for _ in open_own(own_images.describe(place, **changes), split):
            pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_as_drawn(folder: Path) -> None:
    dataset = open_own(own_images.describe(folder), "train")
    assert [files.name for files in dataset.files] == ["train/0", "train/1", "train/2", "train/3"]
    assert dataset.class_names == own_images.CLASSES
    assert len(set(dataset.palette)) == len(own_images.CLASSES)
    for sample, files in zip(dataset, dataset.files, strict=True):
        np.testing.assert_array_equal(sample.label, read_grey(files.label))


def test_a_list_names_images_by_name_or_path(folder: Path) -> None:
    (folder / "some.txt").write_text("train/2\n\n./images/val/0.png\r\n")
    path = own_images.describe(folder, splits={"train": ["some.txt", "train/[!23]"]})
    names = [files.name for files in open_own(path, "train").files]
    assert names == ["train/2", "val/0", "train/0", "train/1"]


def test_labels_beside_images_are_none(folder: Path) -> None:
    for path in (folder / "labels").rglob("*.png"):
        shutil.move(path, folder / "images" / path.parent.name / f"{path.stem}_mask.png")
    splits = {"train": "**", "val": "val/*"}
    path = own_images.describe(folder, label="images/{name}_mask.png", splits=splits)
    assert len(open_own(path, "train")) == 6
    assert len(open_own(path, "val")) == 2


def test_numbers_may_be_joined_and_renumbered(folder: Path) -> None:
    plain = open_own(own_images.describe(folder), "train").read(0).label
    classes = {"thing": [2, 3, 4, 5, 6, 7], "ground": 0}
    path = own_images.describe(folder, classes=classes, void=[1, 255])
    joined = open_own(path, "train").read(0).label
    np.testing.assert_array_equal(joined == 0, np.isin(plain, range(2, 8)))
    np.testing.assert_array_equal(joined == 1, plain == 0)
    np.testing.assert_array_equal(joined == VOID, np.isin(plain, (1, VOID)))


def test_255_may_be_a_class(folder: Path) -> None:
    for path in (folder / "labels").rglob("*.png"):
        own_images.save(path, np.where(read_grey(path) == 2, 255, 0).astype(np.uint8))
    path = own_images.describe(folder, classes={"rest": 0, "disc": 255})
    values = [set(np.unique(sample.label)) for sample in open_own(path, "train")]
    assert set().union(*values) == {0, 1}


def test_colours(folder: Path) -> None:
    plain = [sample.label for sample in open_own(own_images.describe(folder), "train")]
    table = np.array([[i, 255 - i, 10 * i % 256] for i in range(256)], dtype=np.uint8)
    for path in (folder / "labels").rglob("*.png"):
        own_images.save(path, table[read_grey(path)])
    palette = {name: table[i].tolist() for i, name in enumerate(own_images.CLASSES)}
    palette["Ball"] = [palette["Ball"], [1, 2, 3]]
    void = [table[255].tolist()]
    path = own_images.describe(folder, classes=None, palette=palette, void=void)
    dataset = open_own(path, "train")
    for sample, label in zip(dataset, plain, strict=True):
        np.testing.assert_array_equal(sample.label, label)
    assert dataset.palette[1] == (1, 254, 10)
    text = refused(folder, classes=None, palette={**palette, "Sky": [9, 9, 9]}, void=void)
    assert "colour [1, 254, 10] (" in text
    assert re.search(r"labels/train/\d.png: colour .* pixels\) is no class and not void", text)


def test_a_number_of_no_class_is_counted(folder: Path) -> None:
    label = read_grey(folder / "labels/train/1.png").copy()
    label[:2, :3] = 77
    own_images.save(folder / "labels/train/1.png", label)
    text = refused(folder)
    assert "labels/train/1.png: label 77 (6 pixels) is no class and not void" in text
    assert "0 Ground" in text
    assert "mine.yaml" in text


def test_a_missing_label_is_named(folder: Path) -> None:
    for name in (1, 3):
        (folder / f"labels/train/{name}.png").unlink()
    text = refused(folder)
    assert "2 of 4 images of split 'train' have no label: images/train/1.png (no labels/" in text
    assert "images/train/3.png (no labels/train/3.png)" in text


def test_sizes_that_differ_are_told(folder: Path) -> None:
    own_images.save(folder / "labels/val/0.png", np.zeros((5, 7), dtype=np.uint8))
    assert re.search(
        r"labels/val/0.png: labels are 7x5, but 0.png is \d+x\d+", refused(folder, "val")
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"splits": {"train": "x/*"}}, "'splits.train': no image is named 'x/*'; there are 6"),
        ({"splits": {"train": "no.txt"}}, "no.txt cannot be read (No such file"),
        ({"splits": {"train": "empty.txt"}}, "empty.txt is empty. It names an image a line"),
        ({"splits": {"train": "wrong.txt"}}, "line 2: there is no image 'train/00'. Did"),
        ({"splits": {"train": "twice.txt"}}, "2: 'images/train/0.png' stands in line 1"),
        ({"splits": {"train": "binary.txt"}}, "binary.txt is no text"),
        ({"splits": {}}, "field 'splits': expected patterns or a list file by name of the split"),
        ({"splits": {"train": 3}}, "expected a pattern of names or a list file for 'train'"),
        ({"image": "images/*.png"}, "field 'image': 'images/*.png' holds {name} once"),
        ({"image": "pics/{name}.png"}, "no file below"),
        ({"image": "images/{name}.jpg"}, "there is for example 'images/train/0.png'"),
        ({"label": "images/{name}.png"}, "'images/{name}.png' is where images lie"),
        ({"label": "../{name}.png"}, "'../{name}.png' is relative to 'folder'"),
        ({"folder": "nowhere"}, "field 'folder': there is no folder"),
        ({"classes": None}, "give either 'classes' (numbers in label files) or 'palette'"),
        ({"palette": {"a": [0, 0, 0]}}, "give either 'classes'"),
        ({"classes": {"a": 300}}, "expected a whole number from 0 to 255, or a list, for 'a'"),
        ({"classes": {"a": 1, "b": [2, 1]}}, "1 is both 'a' and 'b'"),
        ({"classes": ["a", "a"]}, "expected every name once"),
        ({"classes": ["a", False]}, "expected names of classes, each in quotes"),
        ({"void": [[0, 0, 0]]}, "field 'void' holds numbers here, not (0, 0, 0)"),
        ({"void": [3]}, "3 is both 'Box' and 'void'"),
        ({"colours": {}}, "unknown field 'colours'"),
        ({"fingerprints": {"test": "0" * 64}}, "field 'fingerprints': there is no split 'test'"),
    ],
)  # fmt: skip
def test_faults_of_a_description(folder: Path, changes: own_images.Fields, told: str) -> None:
    (folder / "empty.txt").write_text("\n")
    (folder / "wrong.txt").write_text("train/0\ntrain/00\n")
    (folder / "twice.txt").write_text("train/0\nimages/train/0.png\n")
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00")
    text = refused(folder, **changes)
    assert told in text
    assert str(folder) in text


def test_an_ending_in_another_spelling_is_told(folder: Path) -> None:
    (folder / "images/train/0.png").rename(folder / "images/train/0.PNG")
    assert "images/train/0.PNG: its ending is not that of 'images/{name}.png'" in refused(folder)
    both = ["images/{name}.png", "images/{name}.PNG"]
    assert len(open_own(own_images.describe(folder, image=both), "train")) == 4
    shutil.copy(folder / "images/train/0.PNG", folder / "images/train/0.png")
    assert "are both image 'train/0'" in refused(folder, image=both)


def test_patterns() -> None:
    names = ["a", "ab", "b/a", "b/c/a", "[x]"]
    assert matching("a*", names) == ["a", "ab"]
    assert matching("*/a", names) == ["b/a"]
    assert matching("**/a", names) == ["a", "b/a", "b/c/a"]
    assert matching("b/**", names) == ["b/a", "b/c/a"]
    assert matching("?[!a]", names) == ["ab"]
    assert matching("[[]x]", names) == ["[x]"]


def test_another_process_opens_the_same(folder: Path) -> None:
    dataset = open_own(own_images.describe(folder), "train")
    dataset.leave_out({"train/1": "damaged"})
    again = pickle.loads(pickle.dumps(dataset))
    assert again.files == dataset.files
    assert again.skipped == dataset.skipped
    np.testing.assert_array_equal(again.read(1).label, dataset.read(1).label)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return small_project.enter(tmp_path / "project", monkeypatch)


def test_added_to_a_project(
    folder: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own_images.describe(folder)
    assert cli.main(["data", "add", str(path)]) == 0
    assert "train: 4 images, each with its labels" in capsys.readouterr().out
    copy = load_own_dataset(project / "params" / "datasets" / "mine.yaml")
    assert copy.place == folder
    assert load_dataset_entries()["mine"].own == copy
    for name in ("mine", str(path)):
        assert cli.main(["data", "check", name]) == 0
        assert "mine val: 2 images and their labels, all good" in capsys.readouterr().out
    assert cli.main(["data", "add", str(path)]) == 0, "again, as the file may have changed"
    prepare_dataset("mine")
    assert cli.main(["data", "show", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "split train: 4 images" in shown
    assert f"used where it lies: {folder}" in shown
    assert "classes: Ground, Sky" in shown


def test_its_content_is_its_identity(folder: Path, project: Path, tmp_path: Path) -> None:
    add_own(own_images.describe(folder))
    found = prepare_dataset("mine")
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    add_own(own_images.describe(moved))
    assert prepare_dataset("mine") == found
    label = read_grey(moved / "labels/val/0.png").copy()
    label[0, 0] = 3 if label[0, 0] != 3 else 4
    own_images.save(moved / "labels/val/0.png", label)
    other = prepare_dataset("mine")["splits"]
    assert other["val"]["fingerprint"] != found["splits"]["val"]["fingerprint"]
    assert other["train"] == found["splits"]["train"]
    pinned = {"val": found["splits"]["val"]["fingerprint"]}
    add_own(own_images.describe(moved, fingerprints=pinned))
    with pytest.raises(SegmodelsError, match=r"params/datasets/mine.yaml expects .* not those the"):
        prepare_dataset("mine")


def test_other_meanings_of_numbers_are_looked_at_again(folder: Path, project: Path) -> None:
    add_own(own_images.describe(folder))
    found = prepare_dataset("mine")["splits"]["val"]
    add_own(own_images.describe(folder, classes=list(reversed(own_images.CLASSES))))
    assert prepare_dataset("mine")["splits"]["val"]["fingerprint"] == found["fingerprint"]
    turned = {name: 7 - index for index, name in enumerate(own_images.CLASSES)}
    add_own(own_images.describe(folder, classes=turned))
    again = prepare_dataset("mine")["splits"]["val"]
    assert again["fingerprint"] != found["fingerprint"] or len(set(found["pixels"].values())) == 1


def test_training_images_in_another_split_are_told(
    folder: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "images/train/2.png", folder / "images/val/7.png")
    shutil.copy(folder / "labels/train/2.png", folder / "labels/val/7.png")
    path = own_images.describe(folder)
    assert cli.main(["data", "check", str(path)]) == 1
    text = capsys.readouterr().err
    assert "1 of 4 images of split 'train' are in 'val' too" in text
    assert "images/train/2.png is " in text
    assert "images/val/7.png" in text
    add_own(path)
    with pytest.raises(SegmodelsError, match="flatter what was trained on the other"):
        prepare_dataset("mine")
    add_own(own_images.describe(folder, shared=True))
    assert prepare_dataset("mine")["splits"]["val"]["images"] == 3
    assert "are in 'val' too" in capsys.readouterr().err


def test_splits_to_measure_on_may_share(
    folder: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = {"train": "train/*", "val": "val/*", "test": "val/0"}
    add_own(own_images.describe(folder, splits=splits))
    assert prepare_dataset("mine")["splits"]["test"]["images"] == 1
    assert "1 of 2 images of split 'val' are in 'test' too" in capsys.readouterr().err


def test_names_that_mean_something_else(folder: Path, project: Path) -> None:
    path = own_images.describe(folder)
    for name, told in {
        "shapes": "is a dataset of params/datasets.yaml",
        "closed": "is a dataset of params/datasets.yaml",
        "downloads": "is no name for a dataset",
        "a b": "is no name for a dataset",
    }.items():
        other = path.with_name(f"{name}.yaml")
        shutil.copy(path, other)
        with pytest.raises(SegmodelsError, match=told):
            add_own(other)
    (project / "params/datasets").mkdir(exist_ok=True)
    shutil.copy(path, project / "params/datasets/shapes.yaml")
    with pytest.raises(SegmodelsError, match=r"'shapes' is a dataset of params/datasets.yaml"):
        load_dataset_entries()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "mine"], "is added by the file that describes it, as mine.yaml"),
        (["add", "mine.yaml", "."], "the file says where the images are"),
        (["add", "nowhere.yaml"], "no such file"),
        (["check", "./"], "is named by the file that describes it"),
        (["forget", "mine"], "remove params/datasets/mine.yaml"),
        (["check", "mine", "--skip-unreadable"], "repair the images that are named"),
        (["add", "mine", "."], "its folder is the field 'folder' of params/datasets/mine.yaml"),
    ],
)
def test_commands_for_copies_of_others(
    folder: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    add_own(own_images.describe(folder))
    shutil.copy(folder / "mine.yaml", project / "mine.yaml")
    capsys.readouterr()
    assert cli.main(["data", *words]) != 0
    assert told in capsys.readouterr().err
