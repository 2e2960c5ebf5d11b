"""Cityscapes, finely annotated: 19 classes, 2,975 and 500 images of 2048x1024.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding" (CVPR 2016).
Labels come as labelIds (34 numbers). labelTrainIds (0..18, 255) are not in the archive; people make
them with cityscapesscripts. Where they are, they are used; `disagreements` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.base import Files
from segmodels.datasets.reading.encoding import Encoding, contiguous, values
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.pictures import read_grey
from segmodels.errors import SegmodelsError

_TRAIN_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_IDS = "_gtFine_labelIds.png"
_TRAINED = "_gtFine_labelTrainIds.png"
_FOLDERS = ("leftImg8bit", "gtFine")


class Cityscapes(FolderDataset):
    """`leftImg8bit/<split>/<city>/*_leftImg8bit.png`, labels in `gtFine/`.

    The test split is not offered: its labels are dummies.
    """

    name = "cityscapes"
    splits = ("train", "val")
    class_names: ClassVar[tuple[str, ...]] = (
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    )
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = (
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    )
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            "cityscapesscripts, with labelTrainIds",
            "leftImg8bit/{split}",
            "gtFine/{split}",
            "_leftImg8bit.png",
            _TRAINED,
            encoding="train ids",
        ),
        Layout(
            "the published archives",
            "leftImg8bit/{split}",
            "gtFine/{split}",
            "_leftImg8bit.png",
            _IDS,
            encoding="ids",
        ),
    )
    below = ("", "cityscapes", "data/cityscapes")
    encodings: ClassVar[dict[str, Encoding]] = {
        "train ids": contiguous("labelTrainIds 0..18 and 255", 19),
        # 255 is -1, the licence plate, in eight bits.
        "ids": Encoding.of(
            "labelIds 0..33",
            {stored: index for index, stored in enumerate(_TRAIN_IDS)},
            void={*range(34), VOID} - set(_TRAIN_IDS),
        ),
    }

    archives = ("gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip")

    @classmethod
    def unpacked_name(cls, member: str) -> str | None:
        """The train and val images and label PNGs count."""
        parts = member.split("/")
        if len(parts) != 4 or parts[0] not in _FOLDERS or parts[1] not in cls.splits:
            return None
        wanted = parts[3].endswith(("_leftImg8bit.png", _IDS, _TRAINED)) and ".." not in parts
        return member if wanted else None

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """Polygons without the PNGs, or the coarse labels."""
        if (path / "gtCoarse").is_dir() and not (path / "gtFine").is_dir():
            return "gtCoarse are the coarse labels; numbers are measured on gtFine."
        return None

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W), classes and `VOID`, from labelTrainIds or labelIds."""
        stored = read_grey(path)
        if self.layout.encoding == "ids":
            _refuse_train_ids(path, stored)
        return self.encodings[self.layout.encoding].decode(path, stored, self.hint)

    def hint(self, found: frozenset[int]) -> str:
        """labelIds under the name of labelTrainIds, the classic way to an mIoU near zero."""
        if self.layout.encoding == "train ids" and max(found - {VOID}) < 34:
            return (
                f"These are labelIds. Delete the *{_TRAINED} files, and the labelIds beside them "
                f"are used; or make them again with cityscapesscripts."
            )
        return "The file is damaged or of another dataset; unpack gtFine_trainvaltest.zip again."

    def disagreements(self) -> Iterator[tuple[Files, int]]:
        """Samples whose labelTrainIds are not what their labelIds become, and in how many pixels.

        Looks only where both files are; reads every label of the split twice.
        """
        ids, made = self.encodings["ids"], self.encodings["train ids"]
        for sample in self.files:
            stem = sample.label.name.removesuffix(_TRAINED).removesuffix(_IDS)
            one, other = (sample.label.parent / f"{stem}{end}" for end in (_IDS, _TRAINED))
            if one.is_file() and other.is_file():
                left = ids.decode(one, read_grey(one), self.hint)
                right = made.decode(other, read_grey(other), self.hint)
                if left.shape != right.shape:
                    yield sample, left.size
                elif different := int(np.count_nonzero(left != right)):
                    yield sample, different


def _refuse_train_ids(path: AnyPath, stored: Pixels) -> None:
    """Every street has vegetation, sky, cars or people, whose labelIds are above 18."""
    found = values(stored)
    if VOID in found and max(found - {VOID}, default=VOID) < 19:
        raise SegmodelsError(
            f"{path}: these are labelTrainIds (0..18 and 255) under the name of labelIds (0..33). "
            f"Unpack gtFine_trainvaltest.zip again, or rename the file to *{_TRAINED}."
        )
