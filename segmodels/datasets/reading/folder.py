"""Datasets that lie in folders: unpacked here, or left where their user keeps them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from segmodels.assets.entries import DatasetEntry
from segmodels.core.arrays import Pixels
from segmodels.core.entry import Entry, Several, read_entry
from segmodels.core.files import read_json, write_json
from segmodels.datasets.reading.archives import archives_of
from segmodels.datasets.reading.base import Dataset, Files
from segmodels.datasets.reading.encoding import Encoding
from segmodels.datasets.reading.layouts import Layout, Place, find_place, what_is_missing
from segmodels.datasets.reading.packed import AnyPath, Member, open_tree
from segmodels.datasets.reading.pictures import read_grey
from segmodels.errors import SegmodelsError

#: In a prepared folder: where the files really are.
POINTER = "root.json"


class Copy(Entry):
    """Where files are.

    Attributes:
        path: the folder, or the one that holds the archives; in a pointer it may be relative to it.
        splits: those that count.
        archives: names of the zip files that are read in place; empty where files are unpacked.
        skip_unreadable: its user wants to go on without single files that are damaged.
    """

    path: Annotated[Path, Field(strict=False)]
    splits: Several[str]
    archives: Several[str] = ()
    skip_unreadable: bool = False


class FolderDataset(Dataset):
    """A dataset of which people have copies, in one of several layouts.

    The prepared folder holds the files themselves, or a `root.json` that names the folder or the
    zip archives where they are: gigabytes are never copied.

    Raises:
        SegmodelsError: as in `Dataset`; also when files have gone from where they were.
    """

    #: How it may lie below a folder.
    layouts: ClassVar[tuple[Layout, ...]]
    #: Folders in which it may lie below the one a user names.
    below: ClassVar[tuple[str, ...]] = ("",)
    #: File names of the zip archives it is published in, if they can be read in place.
    archives: ClassVar[tuple[str, ...]] = ()
    #: The ways its labels are written.
    encodings: ClassVar[dict[str, Encoding]]

    layout: Layout

    def list_files(self) -> list[Files]:
        """The samples of `self.split`, in the order of their names or of the official list."""
        place = self.place(self.root)
        if self.split not in place.splits:
            raise SegmodelsError(
                f"{place.root}: split {self.split!r} of {self.name} is not here, only "
                f"{', '.join(place.splits)}. Add its files, then: "
                f"segmodels data add {self.name} {place.root}"
            )
        self.layout = place.layout
        return self.layout.files(place.root, self.split)

    @classmethod
    def unpacked_name(cls, member: str) -> str | None:
        """Where a member of an archive would lie once unpacked; None if it does not count."""
        del member
        return None

    @classmethod
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Point to the downloaded archives, which are read in place.

        Raises:
            SegmodelsError: an archive is missing, damaged or another one; or only a copy can be
                used, because no program can fetch this dataset.
        """
        if not cls.archives:
            raise SegmodelsError(
                f"{cls.name} cannot be fetched by a program. Where to get it and how to use a "
                f"copy: segmodels data show {cls.name}"
            )
        archives = archives_of(entry, downloads)
        place = cls._packed(tuple(archives))
        # Relative: the project may be cloned to another place, and its archives come along.
        path = Path(os.path.relpath(archives[0].parent, folder))
        names = tuple(archive.name for archive in archives)
        write_pointer(folder / POINTER, Copy(path=path, splits=place.splits, archives=names))

    @classmethod
    def place(cls, root: Path) -> Place:
        """Where a prepared folder leads to."""
        pointer = root / POINTER
        if not pointer.is_file():
            return cls.recognise(root)
        copy = read_pointer(pointer)
        path = (root / copy.path).resolve()
        archives = tuple(path / name for name in copy.archives)
        gone = [one for one in archives or (path,) if not one.exists()]
        if gone:
            how = "registered" if copy.path.is_absolute() else "downloaded"
            raise SegmodelsError(
                f"{gone[0]}: {cls.name} was {how} here and is gone. Bring it back, or: "
                f"segmodels data add {cls.name} PATH"
            )
        place = cls._packed(archives) if archives else cls.recognise(path)
        return Place(place.root, place.layout, tuple(s for s in place.splits if s in copy.splits))

    @classmethod
    def recognise(cls, path: Path) -> Place:
        """Find the dataset at or below `path`, in any of its layouts, or in the archives there.

        Raises:
            SegmodelsError: it is not there; the message says what is missing, or what is there
                instead.
        """
        if not path.exists():
            raise SegmodelsError(f"{path}: no such folder.")
        if path.is_file():
            return cls._of_archive(path)
        found = [*cls._unpacked(path), *cls._archived(path)]
        if found:
            return max(found, key=lambda place: len(place.splits))  # of equals, the unpacked one
        wrong = cls.foreign(path) or what_is_missing(path, cls.layouts, cls.below, cls.splits)
        raise SegmodelsError(
            f"{path}: no {cls.name} here. {wrong} Layouts: segmodels data show {cls.name}"
        )

    @classmethod
    def _of_archive(cls, path: Path) -> Place:
        """In the archive that a user names, and in those that belong to it."""
        if not cls.archives or path.suffix != ".zip":
            raise SegmodelsError(f"{path}: {cls.name} is not read from such a file; unpack it.")
        if instead := cls.foreign(path.with_suffix("")):
            raise SegmodelsError(f"{path}: no {cls.name} here. {instead}")
        known = path.name in cls.archives
        here = [path.with_name(name) for name in cls.archives] if known else [path]
        return cls._packed(tuple(one for one in here if one.is_file()))

    @classmethod
    def _unpacked(cls, path: AnyPath) -> Iterator[Place]:
        if place := find_place(path, cls.layouts, cls.below, cls.splits):
            yield place

    @classmethod
    def _archived(cls, path: Path) -> Iterator[Place]:
        here = tuple(path / name for name in cls.archives if (path / name).is_file())
        if here:
            yield cls._packed(here)

    @classmethod
    def _packed(cls, archives: tuple[Path, ...]) -> Place:
        tree = open_tree(archives, cls.unpacked_name)
        used = {entry.archive for entry in tree.entries.values()}
        for number, archive in enumerate(archives):
            if number not in used:
                raise SegmodelsError(
                    f"{archive}: holds nothing of {cls.name}; it is another archive, or packed in "
                    f"another way. Unpack it and add the folder."
                )
        for place in cls._unpacked(tree.root):
            return place
        lacking = what_is_missing(tree.root, cls.layouts, cls.below, cls.splits)
        raise SegmodelsError(f"{tree.root}: no whole {cls.name} here. {lacking}")

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """What lies at `path` instead, if it is something people mistake for this dataset."""
        del path
        return None

    @property
    def is_copy(self) -> bool:
        """Whether the files are a copy of the user's, and neither unpacked nor fetched here."""
        pointer = self.root / POINTER
        return pointer.is_file() and read_pointer(pointer).path.is_absolute()

    @property
    def encoding(self) -> str:
        """The name of the layout's way of writing labels."""
        return self.layout.encoding

    def read_label(self, path: AnyPath) -> Pixels:
        """uint8 (H, W), decoded from the layout's way of writing labels."""
        encoding = self.encodings[self.layout.encoding]
        return encoding.decode(path, read_grey(path), self.hint)

    def hint(self, found: frozenset[int]) -> str:
        """What numbers that do not belong into a label file tell, and what to do."""
        del found
        return "The file is damaged or belongs to another label encoding."


def write_pointer(path: Path, copy: Copy) -> None:
    """Write down where files are."""
    write_json(path, copy.model_dump(mode="json", exclude_defaults=True))


def read_pointer(path: Path) -> Copy:
    """Where files are, and which splits of them count.

    Raises:
        SegmodelsError: the file does not say it.
    """
    return read_entry(Copy, str(path), read_json(path))


def copy_of(place: Place, skip_unreadable: bool = False) -> Copy:
    """How to point to a dataset that was found."""
    if not isinstance(place.root, Member):
        return Copy(
            path=place.root.resolve(),
            splits=place.splits,
            archives=(),
            skip_unreadable=skip_unreadable,
        )
    archives = place.root.tree.archives
    names = tuple(archive.name for archive in archives)
    return Copy(
        path=archives[0].parent.resolve(),
        splits=place.splits,
        archives=names,
        skip_unreadable=skip_unreadable,
    )
