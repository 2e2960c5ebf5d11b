"""PASCAL VOC 2012 segmentation: 20 kinds of objects and background, 1,464 and 1,449 images.

Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective" (IJCV 2015).
Background is class 0 and scored; 255 is the outline of objects and what is left undecided. Papers
train on `trainaug`, 10,582 images: those of `train`, and those of SBD (Hariharan et al., "Semantic
Contours from Inverse Detectors", ICCV 2011) that are not in `val`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from segmodels.assets.entries import DatasetEntry
from segmodels.core.arrays import VOID
from segmodels.datasets.reading.archives import archives_of, unpack
from segmodels.datasets.reading.base import Files
from segmodels.datasets.reading.encoding import Encoding, contiguous
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout, files_below, read_listing
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.palette import voc_palette
from segmodels.errors import SegmodelsError

_ARCHIVE = "VOCtrainval_11-May-2012.tar"
_AUGMENTED = "trainaug"
_LISTS = "ImageSets/Segmentation"
_OWN, _SBD = "SegmentationClass", "SegmentationClassAug"
#: The lists, and the labels, which name the images that are wanted.
_FIRST = re.compile(rf"(?:[^/]+/)*VOC2012/({_LISTS}/(?:train|val)\.txt|{_OWN}/\w+\.png)")
_IMAGE = re.compile(r"(?:[^/]+/)*VOC2012/(JPEGImages/(\w+)\.jpg)")


class Devkit(Layout):
    """The folders of the devkit; labels of `trainaug` lie in two of them."""

    def needs(self, split: str) -> list[str]:
        """As of every layout; of `trainaug` the folder in which SBD's labels are."""
        images, labels, listing = super().needs(split)
        return [images, f"{_SBD}/" if split == _AUGMENTED else labels, listing]

    def files(self, root: AnyPath, split: str) -> list[Files]:
        """The samples in the order of the list; VOC's own labels go before SBD's.

        Raises:
            SegmodelsError: as of every layout.
        """
        own = root / _OWN
        if split != _AUGMENTED or not own.is_dir():
            return super().files(root, split)
        if missing := self.missing(root, split):
            raise SegmodelsError(f"{root}: {', '.join(missing)} missing (split {split!r}).")
        images, of_sbd, listing = (root / path for path in self.needs(split))
        here = frozenset(files_below(own))
        found = [
            self._sample(images, own if f"{name}.png" in here else of_sbd, name)
            for name in read_listing(listing)
        ]
        self._check("images", images, (one.image for one in found))
        self._check("labels", of_sbd, (one.label for one in found if one.label.parent != own))
        return found


class VOC2012(FolderDataset):
    """`JPEGImages/`, `SegmentationClass/` and `ImageSets/Segmentation/{train,val}.txt`.

    For `trainaug` also `SegmentationClassAug/*.png` with SBD's labels as numbers, and
    `ImageSets/Segmentation/trainaug.txt`, both as mmsegmentation's converter writes them.
    """

    name = "voc2012"
    splits = ("train", "val", _AUGMENTED)
    class_names: ClassVar[tuple[str, ...]] = (
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    )
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = voc_palette(21)
    layouts: ClassVar[tuple[Layout, ...]] = (
        Devkit("the devkit", "JPEGImages", _OWN, listing=_LISTS + "/{split}.txt"),
    )
    below = (
        "",
        "VOC2012",
        "VOCdevkit/VOC2012",  # the archive unpacked, and torchvision
        "data/VOCdevkit/VOC2012",  # mmsegmentation
    )
    encodings: ClassVar[dict[str, Encoding]] = {
        "": contiguous("21 classes 0..20, or 255", 21),
    }

    @classmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Unpack lists, labels and the images that have labels: a sixth of the archive's.

        Raises:
            SegmodelsError: the archive is missing, damaged or another one.
        """
        (archive,) = archives_of(entry, downloads)
        unpack(archive, folder, _labels_or_lists)
        labelled = {path.stem for path in (folder / _OWN).glob("*.png")}

        def target(member: str) -> str | None:
            matched = _IMAGE.fullmatch(member)
            return matched[1] if matched and matched[2] in labelled else None

        if not unpack(archive, folder, target):
            raise SegmodelsError(
                f"{archive}: holds no VOC2012/{_OWN} with images; it is another archive."
            )

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """The devkit of another year, and SBD's own files."""
        years = [
            one.name for one in (path, *_folders(path)) if re.fullmatch(r"VOC20\d\d", one.name)
        ]
        if years and "VOC2012" not in years:
            return f"This is {years[0]}; papers that say PASCAL VOC 2012 measure VOC2012."
        if any((path / name).is_dir() for name in ("cls", "dataset/cls")):
            return (
                "This is SBD alone, whose labels are .mat files. Its part in trainaug is read from "
                f"{_SBD}/*.png beside VOC2012's images, as mmsegmentation's converter "
                "(tools/dataset_converters/voc_aug.py) writes them."
            )
        return None

    def hint(self, found: frozenset[int]) -> str:
        """Masks of Pascal Context on the same images."""
        if max(found - {VOID}) <= 59:
            return f"Up to 59: these are masks of Pascal Context, not of {_OWN}."
        return (
            "The file is damaged or of another dataset; unpack VOCtrainval_11-May-2012.tar again."
        )


def _labels_or_lists(member: str) -> str | None:
    matched = _FIRST.fullmatch(member)
    return matched[1] if matched else None


def _folders(path: Path) -> list[Path]:
    """Folders in which the devkit of a year may lie below one that a user names."""
    return [one for below in ("", "VOCdevkit") for one in sorted((path / below).glob("VOC20*"))]
