"""A user's own dataset, read as its description says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from segmodels.assets.entries import DatasetEntry, load_dataset_entries
from segmodels.assets.own_dataset import OwnDataset, add_own_dataset, load_own_dataset
from segmodels.core.arrays import VOID, Counts, Pixels
from segmodels.core.files import digest, write_json
from segmodels.datasets.reading.base import Dataset, Files
from segmodels.datasets.reading.encoding import value_counts
from segmodels.datasets.reading.packed import AnyPath
from segmodels.datasets.reading.palette import voc_palette
from segmodels.datasets.reading.pictures import read_colours, read_grey
from segmodels.datasets.reading.templates import NameTemplate, list_names, matching
from segmodels.errors import SegmodelsError

#: Codes of label files, or images without one, that a message lists.
_LISTED = 5


class OwnFolder(Dataset):
    """Files where they lie; nothing is copied.

    Raises:
        SegmodelsError: the folder, an image, a label or a list is missing; or no file fits.
    """

    about: ClassVar[OwnDataset]

    def __init__(self, root: Path, split: str) -> None:
        del root  # a prepared folder holds nothing but a note
        if not self.about.place.is_dir():
            raise SegmodelsError(
                f"{self.about.file}: field 'folder': there is no folder {self.about.place}."
            )
        super().__init__(self.about.place, split)

    def __reduce__(self) -> tuple[object, ...]:
        """Its class is made of a description, and made again by other processes."""
        return _reopened, (self.about, self.split, self.skipped)

    @classmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Note where the files are."""
        del entry, downloads
        write_json(folder / "own.json", {"folder": str(cls.about.place)})

    @property
    def encoding(self) -> str:
        """A digest of what the numbers or colours of label files mean."""
        return digest([list(self.about.codes.items()), self.about.void_codes])

    def list_files(self) -> list[Files]:
        """The images of the split, sorted by name or in the order of its list."""
        images = self._images()
        names = list(dict.fromkeys(self._names(images)))
        label = NameTemplate(self.about.label)
        here = label.names(self.root, map(NameTemplate, self.about.image))
        if lost := [name for name in names if name not in here]:
            raise SegmodelsError(self._without_label(images, names, lost))
        return [
            Files(name, self.root / images[name], self.root / label.path(name)) for name in names
        ]

    def _without_label(
        self, images: Mapping[str, str], names: Sequence[str], lost: Sequence[str]
    ) -> str:
        path = NameTemplate(self.about.label).path
        pairs = [f"{images[name]} (no {path(name)})" for name in lost[:_LISTED]]
        more = f" and {len(lost) - _LISTED} more" if len(lost) > _LISTED else ""
        return (
            f"{self.root}: {len(lost)} of {len(names)} images of split {self.split!r} have no "
            f"label: {', '.join(pairs)}{more}. Field 'label' of {self.about.file.name} says where "
            f"labels lie."
        )

    def _images(self) -> dict[str, str]:
        """Every image below the folder: its path by its name. Labels beside images are none."""
        templates = [NameTemplate(one) for one in self.about.image]
        label, found = NameTemplate(self.about.label), dict[str, str]()
        for template in templates:
            for name in sorted(template.names(self.root, (*templates, label))):
                path = found.setdefault(name, template.path(name))
                if path != template.path(name):
                    raise SegmodelsError(
                        f"{self.root}: {path} and {template.path(name)} are both image {name!r}; "
                        f"remove one."
                    )
        if not found:
            example = NameTemplate.example(self.root)
            raise SegmodelsError(
                f"{self.about.file}: field 'image': no file below {self.root} is "
                f"{' or '.join(self.about.image)}; there is {example}."
            )
        labels = {label.path(name) for name in found}
        return {name: path for name, path in found.items() if path not in labels}

    def _names(self, images: Mapping[str, str]) -> Iterator[str]:
        for given in self.about.splits[self.split]:
            field = f"{self.about.file}: field 'splits.{self.split}'"
            if given.endswith(".txt"):
                yield from list_names(self.root / given, images, field)
            elif chosen := matching(given, images):
                yield from chosen
            else:
                raise SegmodelsError(
                    f"{field}: no image is named {given!r}; there are {len(images)} as "
                    f"{', '.join(map(repr, sorted(images)[:3]))}. A list file ends in .txt."
                )

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W); what is void becomes `VOID`.

        Raises:
            SegmodelsError: a number or colour occurs that no class has, or the file may have been
                changed by its coding.
        """
        if self.about.classes:
            stored = read_grey(path)
            counts = value_counts(stored)
            self._check_known(path, np.flatnonzero(counts), counts)
            return np.asarray(self._table[stored], dtype=np.uint8)
        packed = _packed(read_colours(path))
        found, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
        self._check_known(path, found, dict(zip(found.tolist(), counts.tolist(), strict=True)))
        table = np.array([self._classes_by_code[int(one)] for one in found], dtype=np.uint8)
        return table[places].reshape(packed.shape)

    @cached_property
    def _classes_by_code(self) -> dict[int, int]:
        """The class of every number; a colour is one number of 24 bits."""
        known = {_code(one): VOID for one in self.about.void_codes}
        for index, codes in enumerate(self.about.codes.values()):
            known |= {_code(one): index for one in codes}
        return known

    @cached_property
    def _table(self) -> Pixels:
        table = np.full(256, VOID, dtype=np.uint8)
        for number, index in self._classes_by_code.items():
            table[number] = index
        return table

    def _check_known(
        self, path: AnyPath, found: Sequence[int] | Counts, counts: Mapping[int, int] | Counts
    ) -> None:
        strays = [int(one) for one in found if int(one) not in self._classes_by_code]
        if not strays:
            return
        kind, field = ("label", "classes") if self.about.classes else ("colour", "palette")
        listed = ", ".join(f"{self._shown(one)} ({counts[one]} pixels)" for one in strays[:_LISTED])
        more = f" and {len(strays) - _LISTED} more" if len(strays) > _LISTED else ""
        raise SegmodelsError(
            f"{path}: {kind} {listed}{more} is no class and not void. Known: {self._known()}. Name "
            f"it under {field!r} or 'void' of {self.about.file.name}, or correct the file."
        )

    def _known(self) -> str:
        named = [
            f"{self._shown(_code(one))} {name}"
            for name, codes in (*self.about.codes.items(), ("void", self.about.void_codes))
            for one in codes
        ]
        most = 20
        return ", ".join(named[:most]) + (", …" if len(named) > most else "")

    def _shown(self, code: int) -> str:
        if self.about.classes:
            return str(code)
        return str([code >> 16, code >> 8 & 255, code & 255])


def _code(one: int | tuple[int, int, int]) -> int:
    return one if isinstance(one, int) else one[0] << 16 | one[1] << 8 | one[2]


def _packed(colours: Pixels) -> Counts:
    wide = colours.astype(np.int64)
    packed: Counts = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed


def own_kind(about: OwnDataset) -> type[OwnFolder]:
    """The class that reads what a description describes."""
    palette = tuple(colours[0] for colours in about.palette.values())
    fields = {
        "__doc__": about.title or about.name,
        "__module__": __name__,
        "name": about.name,
        "splits": tuple(about.splits),
        "class_names": about.class_names,
        "palette": palette or voc_palette(len(about.class_names)),
        "about": about,
    }
    return type(re.sub(r"\W", "_", about.name), (OwnFolder,), fields)


def open_own(path: Path, split: str) -> OwnFolder:
    """Open a split of the dataset that a file describes.

    Raises:
        UnknownNameError: no such split.
        SegmodelsError: as in `load_own_dataset` and `OwnFolder`.
    """
    kind = own_kind(load_own_dataset(path))
    return kind(path, split)


def add_own(path: Path) -> tuple[Path, list[OwnFolder]]:
    """Make the dataset that a file describes one of the project's; images stay where they are.

    Every name of a file is looked at, and one image of each split is read.

    Returns:
        the copy of the description in `params/datasets`, and the splits.

    Raises:
        SegmodelsError: as in `open_own`, or the name is that of a dataset that papers know.
    """
    about = load_own_dataset(path)
    splits = [open_own(path, split) for split in about.splits]
    for dataset in splits:
        dataset.read(0)
    theirs = [name for name, entry in load_dataset_entries().items() if not entry.own]
    return add_own_dataset(path, theirs), splits


def _reopened(about: OwnDataset, split: str, skipped: Mapping[str, str]) -> OwnFolder:
    dataset = own_kind(about)(about.place, split)
    dataset.leave_out(skipped)
    return dataset
