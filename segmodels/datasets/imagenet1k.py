"""ImageNet-1k (ILSVRC 2012): 50,000 images of the validation set, one of 1,000 classes each.

Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge" (IJCV 2015). Here to measure
backbones, not to train: an image has one label, and its pixels have none. A class is a synset of
WordNet, and its number is the place of its id among all of them in order.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.core.arrays import Pixels
from segmodels.datasets.classes import class_names
from segmodels.datasets.reading.base import Files
from segmodels.datasets.reading.encoding import Encoding
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.reading.layouts import Layout, files_below
from segmodels.datasets.reading.packed import AnyPath
from segmodels.errors import SegmodelsError

SYNSETS = class_names("imagenet1k")
_NUMBERS = {synset: number for number, synset in enumerate(SYNSETS)}
_SUFFIX = ".JPEG"


class BySynset(Layout):
    """A folder for each class, named as its synset, with the images of the class in it."""

    def needs(self, split: str) -> list[str]:
        """The folder of the split, with one of a class in it."""
        return [f"{split}/", f"{split}/{SYNSETS[0]}/"]

    def is_here(self, root: AnyPath, split: str) -> bool:
        """Whether the split has the folder of any class."""
        return any((root / split / synset).is_dir() for synset in SYNSETS)

    def files(self, root: AnyPath, split: str) -> list[Files]:
        """The images of all classes, in the order of their own names; a label is where they lie.

        Raises:
            SegmodelsError: there are none, or a folder is of no class.
        """
        folder, found = root / split, []
        for name in files_below(folder):
            synset, _, image = name.partition("/")
            if not image.endswith(_SUFFIX):
                continue
            if synset not in _NUMBERS:
                raise SegmodelsError(
                    f"{folder / synset}: no class of ImageNet-1k has this id. Images of the "
                    f"{len(SYNSETS)} classes lie in folders from {SYNSETS[0]} to {SYNSETS[-1]}."
                )
            path = folder / name
            found.append(Files(image.removesuffix(_SUFFIX), path, path))
        if not found:
            raise SegmodelsError(f"{folder}: no image *{_SUFFIX} lies in a folder of a class.")
        return sorted(found, key=lambda one: one.name)


class ImageNet1k(FolderDataset):
    """`val/n01440764/ILSVRC2012_val_00000293.JPEG`, as torchvision's `ImageFolder` reads it."""

    name = "imagenet1k"
    splits = ("val",)
    class_names: ClassVar[tuple[str, ...]] = SYNSETS
    palette: ClassVar[tuple[tuple[int, int, int], ...]] = tuple(
        (25 + 25 * (i % 10), 25 + 25 * (i // 10 % 10), 25 + 25 * (i // 100))
        for i in range(len(SYNSETS))
    )
    labels_images = True
    layouts: ClassVar[tuple[Layout, ...]] = (
        BySynset("folders by class", "val", "val", _SUFFIX, _SUFFIX),
    )
    below = ("", "imagenet", "ILSVRC2012", "data/imagenet")
    encodings: ClassVar[dict[str, Encoding]] = {}

    def read_label(self, path: AnyPath) -> Pixels:
        """uint16 (1, 1): the number of the class in whose folder an image lies."""
        label: Pixels = np.full((1, 1), _NUMBERS[path.parent.name], dtype=np.uint16)
        return label

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """The archive of the validation images, unpacked and not sorted."""
        for folder in (path, path / "val"):
            if any(folder.glob("ILSVRC2012_val_0000000?.JPEG")):
                return (
                    "These are its images without their classes; sort them into folders by synset, "
                    "as valprep.sh does, which everybody takes for it."
                )
        return None
