"""Bad input in every layout: one error that names the file, wherever in a split it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from copies import SIZE, write_image
from PIL import Image
from test_layouts import COPIES

from segmodels.datasets import Dataset
from segmodels.datasets.camvid_720 import CamVid720
from segmodels.datasets.description import describe_split
from segmodels.datasets.reading.base import Files
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.pictures import read_grey
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError, UnknownNameError, UnreadableError

LAYOUTS = pytest.mark.parametrize(("kind", "below", "make", "images", "classes"), COPIES)
#: Layouts whose labels are numbers, and not colours.
NUMBERS = pytest.mark.parametrize(
    ("kind", "below", "make", "images", "classes"), [row for row in COPIES if row[0] != CamVid720]
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMODELS_CACHE", str(tmp_path / "cache"))


def largest(kind, root, images) -> Dataset:
    """The split with most images, whose middle one is damaged."""
    return kind(root, max(images, key=images.get))


def middle(dataset: Dataset) -> Files:
    return dataset.files[len(dataset) // 2]


def refused(dataset: Dataset) -> str:
    """What describing the split, as `prepare` does, says."""
    with pytest.raises(SegmodelsError) as caught:
        describe_split(dataset, survey(dataset))
    return str(caught.value)


@LAYOUTS
def test_an_empty_folder_is_named_with_what_it_lacks(tmp_path, kind, below, make, images, classes):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SegmodelsError, match=f"{empty}: no {kind.name} here. Expected"):
        kind.recognise(empty)
    make(tmp_path / "full")
    for folder in (tmp_path / "full").iterdir():
        shutil.rmtree(folder)
        folder.mkdir()
    with pytest.raises(SegmodelsError, match=f"no {kind.name} here"):
        kind.recognise(tmp_path / "full")


@LAYOUTS
def test_a_missing_label_is_named(tmp_path, kind, below, make, images, classes):
    dataset = largest(kind, make(tmp_path / below), images)
    lost = middle(dataset).label
    lost.unlink()
    if len(dataset) > 1:  # a split without any label is no split
        with pytest.raises(SegmodelsError, match=f"{lost}: missing"):
            kind(dataset.root, dataset.split)
    assert f"{lost}: missing" in refused(dataset)


@LAYOUTS
def test_a_wrong_split_names_the_right_ones(tmp_path, kind, below, make, images, classes):
    make(tmp_path / below)
    with pytest.raises(UnknownNameError, match=r"Unknown split of .* Known: .*train"):
        kind(tmp_path, "tset")


@NUMBERS
def test_a_number_above_the_classes_is_named(tmp_path, kind, below, make, images, classes):
    dataset = largest(kind, make(tmp_path / below), images)
    label = middle(dataset).label
    stored = read_grey(label).copy()
    stored[0, 0] = 254
    Image.fromarray(stored).save(label)
    assert f"{label}: label 254 is none of the" in refused(dataset)


@NUMBERS
def test_labels_of_16_bits_are_refused(tmp_path, kind, below, make, images, classes):
    dataset = largest(kind, make(tmp_path / below), images)
    label = middle(dataset).label
    Image.fromarray(read_grey(label).astype(np.uint16) * 256).save(label)
    said = refused(dataset)
    assert f"{label}: a label file is 8-bit with one channel" in said
    assert "instance ids" in said


@NUMBERS
def test_labels_in_colours_are_refused(tmp_path, kind, below, make, images, classes):
    dataset = largest(kind, make(tmp_path / below), images)
    label = middle(dataset).label
    Image.fromarray(read_grey(label)).convert("RGB").save(label)
    said = refused(dataset)
    assert f"{label}: a label file is 8-bit" in said
    assert "picture of the labels" in said


@NUMBERS
def test_labels_with_a_palette_are_their_indices(tmp_path, kind, below, make, images, classes):
    dataset = largest(kind, make(tmp_path / below), images)
    before = describe_split(dataset, survey(dataset))
    label = middle(dataset).label
    painted = Image.frombytes("P", SIZE[::-1], read_grey(label).tobytes())
    painted.putpalette([200, 7, 9] * 256)
    painted.save(label)
    with Image.open(label) as opened:
        assert opened.mode == "P"
    assert describe_split(dataset, survey(dataset)) == before


@LAYOUTS
def test_another_size_of_the_label_is_named(tmp_path, kind, below, make, images, classes):
    dataset = largest(kind, make(tmp_path / below), images)
    files = middle(dataset)
    write_image(files.image, (SIZE[0] + 1, SIZE[1]))
    told = f"{files.label}: labels are 9x6, but {files.image.name} is 9x7."
    assert told in refused(dataset)


@LAYOUTS
@pytest.mark.parametrize("which", ["image", "label"])
@pytest.mark.parametrize("keep", [0, 30])
def test_a_torn_file_in_the_middle_is_named(
    tmp_path, kind, below, make, images, classes, which, keep
):
    dataset = largest(kind, make(tmp_path / below), images)
    torn = getattr(middle(dataset), which)
    torn.write_bytes(torn.read_bytes()[:keep])
    assert f"{torn}: cannot be decoded" in refused(dataset)
    with pytest.raises(UnreadableError) as caught:
        dataset.read(len(dataset) // 2)
    assert caught.value.reason.startswith(f"{torn.name}: cannot be decoded")
    assert str(tmp_path) not in caught.value.reason


@LAYOUTS
def test_one_damaged_sample_can_be_left_out(tmp_path, kind, below, make, images, classes):
    """Where the user asks for it, damage is; labels in another encoding never are."""
    dataset = largest(kind, make(tmp_path / below), images)
    files = middle(dataset)
    files.image.write_bytes(b"")
    if len(dataset) == 1:  # nothing would be left
        with pytest.raises(SegmodelsError, match=r"1 of 1 .* images cannot be read, which is too"):
            describe_split(dataset, survey(dataset), skip=True)
        return
    about = describe_split(dataset, survey(dataset), skip=True)
    assert list(about["skipped"]) == [files.name]
    assert about["images"] == len(dataset) - 1
    assert isinstance(dataset, FolderDataset)
    if files.label.suffix == ".png":
        Image.new("RGB", SIZE[::-1], (1, 2, 3)).save(files.label)
        write_image(files.image)
        with pytest.raises(SegmodelsError, match=r"8-bit|have none of"):
            describe_split(dataset, survey(dataset), skip=True)
