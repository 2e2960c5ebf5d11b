"""Pascal Context: the 59 most frequent classes of 459, and background, on VOC2010 images.

Mottaghi et al., "The Role of Context for Object Detection and Semantic Segmentation in the Wild"
(CVPR 2014). Here background is class 0 and scored (60 classes); that it is not is a matter of
the protocol (`ignore_classes`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from PIL import Image

from segmodels.assets.entries import DatasetEntry
from segmodels.core.arrays import VOID
from segmodels.core.files import write_text
from segmodels.datasets.classes import class_names
from segmodels.datasets.reading.archives import archives_of, unpack
from segmodels.datasets.reading.encoding import Encoding, contiguous
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout
from segmodels.datasets.reading.palette import voc_palette
from segmodels.datasets.reading.pickled_masks import read_masks
from segmodels.errors import SegmodelsError

_MASKS = "SegmentationClassContext"
_LISTS = "ImageSets/SegmentationContext"
_IMAGES = "VOCtrainval_03-May-2010.tar"
_MEMBER = re.compile(r"(?:[^/]+/)*JPEGImages/(\d{4}_\d{6}\.jpg)")


class PascalContext(FolderDataset):
    """`JPEGImages/`, `SegmentationClassContext/` and `ImageSets/SegmentationContext/<split>.txt`.

    Instead of the PNG masks there may be `train.pth` and `val.pth`, which hold masks pickled:
    `write_masks` makes PNGs of them, as Segmenter's script does.
    """

    name = "pascal_context"
    splits = ("train", "val")
    class_names: ClassVar[tuple[str, ...]] = class_names("pascal_context")
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = voc_palette(60)
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            "mmsegmentation and Segmenter",
            "JPEGImages",
            _MASKS,
            listing=_LISTS + "/{split}.txt",
        ),
    )
    below = (
        "",
        "VOC2010",
        "VOCdevkit/VOC2010",
        "data/VOCdevkit/VOC2010",
        "pcontext/VOCdevkit/VOC2010",
    )
    encodings: ClassVar[dict[str, Encoding]] = {
        "": contiguous("60 classes 0..59", 60, void=()),
    }

    @classmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Write masks, lists and the images that have masks.

        Raises:
            SegmodelsError: an archive is missing, damaged or another one.
        """
        by_name = {archive.name: archive for archive in archives_of(entry, downloads)}
        pickled = {split: by_name[f"{split}.pth"] for split in cls.splits}
        wanted = {f"{name}.jpg" for name in _write_masks(pickled, folder)}

        def target(member: str) -> str | None:
            matched = _MEMBER.fullmatch(member)
            return f"JPEGImages/{matched[1]}" if matched and matched[1] in wanted else None

        if not unpack(by_name[_IMAGES], folder, target):
            raise SegmodelsError(f"{by_name[_IMAGES]}: holds no images of VOC2010; another one.")

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """What else VOC comes with."""
        for root in (path / prefix for prefix in cls.below):
            if any((root / name).is_file() for name in ("train.pth", "val.pth")):
                return (
                    f"The masks in {root} are pickled. Write them out as PNG first, which runs "
                    f"nothing of what is in them: segmodels data masks {root}"
                )
            if (root / "trainval_merged.json").is_file() and not (root / _MASKS).is_dir():
                return (
                    "trainval_merged.json holds outlines, not masks. Fetch train.pth and val.pth "
                    "(segmodels data show pascal_context), or convert it with mmsegmentation."
                )
        return None

    def hint(self, found: frozenset[int]) -> str:
        """Masks of VOC itself, and masks of the 59 classes."""
        if VOID not in found:
            return "The file is damaged or holds other classes; convert the annotations again."
        if max(found - {VOID}, default=0) <= 20:
            return "255 around 0..20: these are VOC's own 21 classes (SegmentationClass)."
        return (
            "With 255 for background they hold 59 classes already; numbers are printed for 60, "
            "and the protocol leaves background out where it is not scored."
        )


def write_masks(root: Path) -> dict[str, int]:
    """Write the pickled masks of a VOC2010 folder as PNG files and lists beside them.

    Returns:
        how many masks each split has.

    Raises:
        SegmodelsError: `train.pth` or `val.pth` is missing, broken or asks for more than images;
            or nothing can be written there.
    """
    pickled = {split: root / f"{split}.pth" for split in PascalContext.splits}
    try:
        _write_masks(pickled, root)
    except OSError as error:
        where = error.filename or root
        raise SegmodelsError(f"{where}: {error.strerror or error}.") from None
    lists = (root / _LISTS / f"{split}.txt" for split in pickled)
    return {path.stem: len(path.read_text(encoding="utf-8").split()) for path in lists}


def _write_masks(pickled: dict[str, Path], folder: Path) -> list[str]:
    (folder / _MASKS).mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for split, path in pickled.items():
        masks = {f"{key // 1_000_000}_{key % 1_000_000:06}": m for key, m in read_masks(path)}
        for name, mask in masks.items():
            Image.fromarray(mask).save(folder / _MASKS / f"{name}.png")
        write_text(folder / _LISTS / f"{split}.txt", "".join(f"{n}\n" for n in sorted(masks)))
        names += masks
    return names
