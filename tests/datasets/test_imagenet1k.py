"""ImageNet-1k: a class for each folder, one label for each image, and what is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from copies import imagenet1k, write_image

from segmodels.datasets.description import describe_split
from segmodels.datasets.imagenet1k import SYNSETS, ImageNet1k
from segmodels.datasets.survey import survey
from segmodels.errors import SegmodelsError


def test_a_label_is_the_number_of_the_folder(tmp_path: Path) -> None:
    dataset = ImageNet1k(imagenet1k(tmp_path), "val")
    assert (len(SYNSETS), SYNSETS[0], SYNSETS[255], SYNSETS[999]) == (
        *(1000, "n01440764", "n02111129", "n15075141"),
    )
    assert [one.name for one in dataset] == [f"ILSVRC2012_val_{i:08}" for i in (1, 2, 3)]
    labels = [one.label for one in dataset]
    assert [int(one[0, 0]) for one in labels] == [999, 255, 0]
    assert {(one.dtype, one.shape) for one in labels} == {(np.dtype(np.uint16), (1, 1))}


def test_images_are_counted_by_class(tmp_path: Path) -> None:
    dataset = ImageNet1k(imagenet1k(tmp_path), "val")
    about = describe_split(dataset, survey(dataset))
    assert about["images"] == 3
    assert {name: number for name, number in about["pixels"].items() if number} == {
        **{SYNSETS[0]: 1, SYNSETS[255]: 1, SYNSETS[999]: 1},
    }
    assert sum(about["sizes"].values()) == 3


def test_what_is_no_class_is_named(tmp_path: Path) -> None:
    imagenet1k(tmp_path)
    write_image(tmp_path / "val/n00000001/ILSVRC2012_val_00000004.JPEG")
    with pytest.raises(SegmodelsError, match=r"n00000001: no class of ImageNet-1k has this id"):
        ImageNet1k(tmp_path, "val")


def test_images_that_nobody_sorted_are_told(tmp_path: Path) -> None:
    write_image(tmp_path / "val/ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(SegmodelsError, match="without their classes; sort them into folders"):
        ImageNet1k.recognise(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(
        SegmodelsError, match=r"no imagenet1k here\. Expected, as in folders by class"
    ):
        ImageNet1k.recognise(tmp_path / "other")
