"""What every dataset is: a list of names and a way to read one image with its labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.assets.entries import DatasetEntry
from segmodels.core.arrays import VOID, Pixels
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.pictures import read_grey, read_rgb
from segmodels.errors import SegmodelsError, UnknownNameError, UnreadableError


@dataclass(frozen=True)
class Sample:
    """One image with its ground truth.

    Attributes:
        name: stable name within the split.
        image: uint8 (H, W, 3), RGB.
        label: uint8 (H, W), classes 0..C-1 or `VOID`; where a whole image has one label, uint16
            (1, 1).
    """

    name: str
    image: Pixels
    label: Pixels


@dataclass(frozen=True)
class Files:
    """Where one sample lies."""

    name: str
    image: AnyPath
    label: AnyPath


class Dataset(ABC):
    """A prepared split on disk. A dataset is one subclass in one file.

    Args:
        root: the prepared folder (`data/<name>`).
        split: one of `splits`.

    Raises:
        UnknownNameError: no such split.
        SegmodelsError: the folder is not there or incomplete; the message says how to make it.
    """

    name: ClassVar[str]
    splits: ClassVar[tuple[str, ...]]
    class_names: ClassVar[tuple[str, ...]]
    #: One RGB colour per class, for pictures.
    palette: ClassVar[tuple[tuple[int, int, int], ...]]
    #: Whether a label is of a whole image, and not of its pixels.
    labels_images: ClassVar[bool] = False

    def __init__(self, root: Path, split: str) -> None:
        if split not in self.splits:
            raise UnknownNameError(f"split of {self.name}", split, self.splits)
        if not root.is_dir():
            raise SegmodelsError(
                f"{root}: dataset {self.name!r} is not prepared. Run: dvc repro "
                f"(suite with {self.name}) or segmodels verify, which prepare what they need; or "
                f"use a copy that is here: segmodels data add {self.name} PATH"
            )
        self.root = root
        self.split = split
        self.files = self.list_files()
        #: Samples that are left out because they cannot be read, with the reason.
        self.skipped: dict[str, str] = {}
        if not self.files:
            raise SegmodelsError(
                f"{root}: split {split!r} holds no images. Download and prepare the dataset again."
            )

    @classmethod
    @abstractmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Fill the empty `folder` from the downloaded archives (or from nothing)."""

    @abstractmethod
    def list_files(self) -> list[Files]:
        """The samples of `self.split` in their official order."""

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W) with classes 0..C-1 and `VOID`; override where the encoding differs."""
        label = read_grey(path)
        self.check_label(path, label)
        return label

    def check_label(self, path: AnyPath, label: Pixels) -> None:
        """Refuse values that are neither a class nor void (SegmodelsError names them)."""
        stray = label[(label >= len(self.class_names)) & (label != VOID)]
        if stray.size:
            values = ", ".join(map(str, np.unique(stray)[:5]))
            raise SegmodelsError(
                f"{path}: label {values} lies outside the classes "
                f"0..{len(self.class_names) - 1} of {self.name}. The file is damaged or belongs "
                f"to another label encoding; prepare the dataset again."
            )

    @classmethod
    def check_pixels(cls, split: str, images: int, pixels: dict[str, int]) -> None:
        """Refuse a split whose pixels per class cannot be right; most datasets cannot tell.

        Args:
            split: its name.
            images: how many it has.
            pixels: by class name, and `void`.

        Raises:
            SegmodelsError: labels are written in another way than they should be.
        """
        del split, images, pixels

    @property
    def encoding(self) -> str:
        """Which of several ways its labels are written; most datasets have one."""
        return ""

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(index) for index in range(len(self)))

    def leave_out(self, skipped: Mapping[str, str]) -> None:
        """Go on without samples that cannot be read: their names, each with the reason.

        Raises:
            SegmodelsError: the split has no sample of a name.
        """
        names = {files.name for files in self.files}
        if unknown := sorted(skipped.keys() - names):
            raise SegmodelsError(
                f"{self.root}: {unknown[0]!r} was left out when {self.name} was described, and is "
                f"no image of {self.split!r} now. Describe it again: segmodels data check "
                f"{self.name}"
            )
        self.files = [files for files in self.files if files.name not in skipped]
        self.skipped = dict(skipped)

    def read(self, index: int) -> Sample:
        """Decode one sample.

        Raises:
            UnreadableError: a file is damaged, or image and label differ in size.
            SegmodelsError: a file is missing, or its labels are written in another way.
        """
        files = self.files[index]
        image, label = read_rgb(files.image), self.read_label(files.label)
        if not self.labels_images and image.shape[:2] != label.shape:
            raise UnreadableError(
                files.label,
                f"labels are {label.shape[1]}x{label.shape[0]}, but "
                f"{files.image.name} is {image.shape[1]}x{image.shape[0]}",
            )
        return Sample(files.name, image, label)
