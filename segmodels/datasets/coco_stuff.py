"""COCO-Stuff: 171 classes, as 164k (118,287 and 5,000 images) and as 10k (9,000 and 1,000).

Caesar, Uijlings, Ferrari, "COCO-Stuff: Thing and Stuff Classes in Context" (CVPR 2018). Of 182
numbers 11 are never used; three counts of classes circulate: 171 (without them, as
mmsegmentation), 172 (the SegFormer paper, unlabeled included) and 182 (the SegFormer code).
"""

from __future__ import annotations

import re
from typing import ClassVar

from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.classes import class_names
from segmodels.datasets.reading.encoding import Encoding, contiguous
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout
from segmodels.datasets.reading.matlab import read_matrix
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.palette import voc_palette

_ALL = class_names("coco_stuff")
#: Thing categories COCO planned and never annotated, counted from 0.
UNUSED = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
_USED = tuple(number for number in range(182) if number not in UNUSED)

_MEMBER = re.compile(r"(?:[^/]+/)*((?:train|val)2017)/(\d+\.(jpg|png))")
_MEMBER_10K = re.compile(r"(?:[^/]+/)?(images/\w+\.jpg|annotations/\w+\.mat|imageLists/\w+\.txt)")
_FOLDERS = {"train": "train2017", "val": "val2017"}
_FOLDERS_10K = {"train": "train2014", "test": "test2014"}
_CONVERTED = "_labelTrainIds.png"


def _published(title: str, images: str, labels: str) -> Layout:
    return Layout(title, images, labels, names=_FOLDERS, encoding="ids")


_RAW = (
    _published(
        "mmsegmentation, or both archives unpacked", "images/{split}", "annotations/{split}"
    ),
    _published("COCO with stuffthingmaps", "{split}", "stuffthingmaps/{split}"),
    _published("COCO with the archive's name", "{split}", "stuffthingmaps_trainval2017/{split}"),
)
_BELOW = ("", "coco_stuff164k", "data/coco_stuff164k", "coco", "data/coco")


class CocoStuff164k(FolderDataset):
    """`images/val2017/*.jpg`, labels in `annotations/val2017/*.png`.

    Labels are stored as COCO's number - 1 (0..181), 255 for unlabeled; or converted by
    mmsegmentation to 0..170 in `*_labelTrainIds.png`.
    """

    name = "coco_stuff_164k"
    splits = ("train", "val")
    class_names: ClassVar[tuple[str, ...]] = tuple(_ALL[number] for number in _USED)
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = voc_palette(171)
    layouts: ClassVar[tuple[Layout, ...]] = (
        *_RAW,
        Layout(
            "mmsegmentation, converted labels only",
            "images/{split}",
            "annotations/{split}",
            label_suffix=_CONVERTED,
            names=_FOLDERS,
            encoding="train ids",
        ),
    )
    below = _BELOW
    encodings: ClassVar[dict[str, Encoding]] = {
        "ids": Encoding.of(
            "171 numbers of 0..181 that COCO-Stuff uses, or 255",
            {stored: index for index, stored in enumerate(_USED)},
            void=(VOID,),
        ),
        "train ids": contiguous("171 train ids 0..170, or 255", 171),
    }

    archives = ("train2017.zip", "val2017.zip", "stuffthingmaps_trainval2017.zip")

    @classmethod
    def unpacked_name(cls, member: str) -> str | None:
        """Photographs and maps have the same folders in their archives, and differ in their end."""
        matched = _MEMBER.fullmatch(member)
        if not matched:
            return None
        return f"{'images' if matched[3] == 'jpg' else 'annotations'}/{matched[1]}/{matched[2]}"

    def hint(self, found: frozenset[int]) -> str:
        """The maps of cocostuffapi, and labels counted from 1."""
        if max(found - {VOID}) in (182, 183):
            return (
                "182 and 183 occur in the stuff-only maps (COCO's numbers from 1, 183 for things), "
                "not in stuffthingmaps_trainval2017.zip, which is needed."
            )
        if found & set(UNUSED):
            return "Numbers that COCO never annotated: these are not the stuffthingmaps."
        return "The file is damaged or of another dataset; unpack the stuffthingmaps again."


class CocoStuff182(CocoStuff164k):
    """The 164k images with all 182 numbers as classes, as the SegFormer code declares them.

    The 11 that never occur count only if a network predicts them: one stray pixel adds a
    class of IoU 0.
    """

    name = "coco_stuff_164k_182"
    class_names: ClassVar[tuple[str, ...]] = _ALL
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = voc_palette(182)
    layouts: ClassVar[tuple[Layout, ...]] = _RAW
    encodings: ClassVar[dict[str, Encoding]] = {
        "ids": contiguous("182 numbers 0..181, or 255", 182),
    }


class CocoStuff10k(FolderDataset):
    """`images/*.jpg` and `annotations/*.mat` with `imageLists/`, or as mmsegmentation converts it.

    Labels count from 1 and 0 is unlabeled, in both.
    """

    name = "coco_stuff_10k"
    splits = ("train", "test")
    class_names: ClassVar[tuple[str, ...]] = CocoStuff164k.class_names
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = CocoStuff164k.palette
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            "the published archive",
            "images",
            "annotations",
            label_suffix=".mat",
            listing="imageLists/{split}.txt",
            encoding="ids from 1",
        ),
        Layout(
            "mmsegmentation",
            "images/{split}",
            "annotations/{split}",
            label_suffix=_CONVERTED,
            names=_FOLDERS_10K,
            encoding="train ids from 1",
        ),
    )
    below = ("", "coco_stuff10k", "data/coco_stuff10k", "cocostuff-10k-v1.1")
    encodings: ClassVar[dict[str, Encoding]] = {
        "ids from 1": Encoding.of(
            "171 numbers of 1..182 that COCO-Stuff uses, or 0",
            {stored + 1: index for index, stored in enumerate(_USED)},
            void=(0,),
        ),
        "train ids from 1": contiguous("171 train ids 1..171, or 0", 171, first=1, void=(0,)),
    }

    archives = ("cocostuff-10k-v1.1.zip",)

    @classmethod
    def unpacked_name(cls, member: str) -> str | None:
        """Images, annotations and lists count."""
        matched = _MEMBER_10K.fullmatch(member)
        return matched[1] if matched else None

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W), classes and `VOID`, from a .mat or PNG file."""
        if path.suffix != ".mat":
            return super().read_label(path)
        stored = read_matrix(path, "S")
        return self.encodings[self.layout.encoding].decode(path, stored, self.hint)

    def hint(self, found: frozenset[int]) -> str:
        """Labels of the 164k set."""
        if VOID in found:
            return "255 for unlabeled is how COCO-Stuff 164k is written; add it under that name."
        return "The file is damaged or of another dataset; unpack cocostuff-10k-v1.1.zip again."
