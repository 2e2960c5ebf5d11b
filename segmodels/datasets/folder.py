"""Datasets that lie in folders: unpacked here, or left where their user keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from segmodels.assets import DatasetEntry
from segmodels.datasets.base import Dataset, Files, read_grey
from segmodels.datasets.encoding import Encoding
from segmodels.datasets.layouts import Layout, Place, find_place, what_is_missing
from segmodels.errors import SegmodelsError
from segmodels.files import read_json, take_fields, take_list, write_json
from segmodels.pixels import Pixels

#: In a prepared folder: where the files really are.
POINTER = "root.json"


class FolderDataset(Dataset):
    """A dataset of which people have copies, in one of several layouts.

    The prepared folder holds the files themselves, or a `root.json` that names the folder
    where they are: gigabytes are never copied.

    Raises:
        SegmodelsError: as in `Dataset`; also when files have gone from where they were.
    """

    #: How it may lie below a folder.
    layouts: ClassVar[tuple[Layout, ...]]
    #: Folders in which it may lie below the one a user names.
    below: ClassVar[tuple[str, ...]] = ("",)
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
    def prepare(cls, entry: DatasetEntry, downloads: Path | None, folder: Path) -> None:
        """Refuse: without archives only a copy can be used (overridden where there are some)."""
        raise SegmodelsError(
            f"{cls.name} cannot be fetched by a program. Where to get it and how to use a copy: "
            f"segmodels data show {cls.name}"
        )

    @classmethod
    def place(cls, root: Path) -> Place:
        """Where a prepared folder leads to."""
        pointer = root / POINTER
        if not pointer.is_file():
            return cls.recognise(root)
        path, splits = read_pointer(pointer)
        if not path.is_dir():
            raise SegmodelsError(
                f"{path}: {cls.name} was registered here and is gone. Bring it back, or: "
                f"segmodels data add {cls.name} PATH"
            )
        place = cls.recognise(path)
        return Place(place.root, place.layout, tuple(s for s in place.splits if s in splits))

    @classmethod
    def recognise(cls, path: Path) -> Place:
        """Find the dataset at or below `path`, in any of its layouts.

        Raises:
            SegmodelsError: it is not there; the message says what is missing, or what is there
                instead.
        """
        if not path.is_dir():
            raise SegmodelsError(f"{path}: no such folder.")
        if place := find_place(path, cls.layouts, cls.below, cls.splits):
            return place
        instead = cls.foreign(path)
        wrong = instead or what_is_missing(path, cls.layouts, cls.below, cls.splits)
        raise SegmodelsError(
            f"{path}: no {cls.name} here. {wrong} Layouts: segmodels data show {cls.name}"
        )

    @classmethod
    def foreign(cls, path: Path) -> str | None:
        """What lies at `path` instead, if it is something people mistake for this dataset."""
        del path
        return None

    @property
    def encoding(self) -> str:
        """The name of the layout's way of writing labels."""
        return self.layout.encoding

    def read_label(self, path: Path) -> Pixels:
        """uint8 (H, W), decoded from the layout's way of writing labels."""
        encoding = self.encodings[self.layout.encoding]
        return encoding.decode(path, read_grey(path), self.hint)

    def hint(self, found: frozenset[int]) -> str:
        """What numbers that do not belong into a label file tell, and what to do."""
        del found
        return "The file is damaged or belongs to another label encoding."


def write_pointer(path: Path, root: Path, splits: tuple[str, ...]) -> None:
    """Write down where files are."""
    write_json(path, {"path": str(root.resolve()), "splits": list(splits)})


def read_pointer(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Where files are, and which splits of them count.

    Raises:
        SegmodelsError: the file says neither.
    """
    fields = take_fields(str(path), read_json(path), {"path": str, "splits": list}, {})
    return Path(fields["path"]), tuple(take_list(str(path), "splits", fields["splits"], str))
