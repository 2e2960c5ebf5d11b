"""The ways datasets lie on disks: as their authors pack them, and as well-known code wants them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from segmodels.core.listing import has_stray_part, is_stray
from segmodels.datasets.reading.base import Files
from segmodels.datasets.reading.packed import AnyPath, Member
from segmodels.errors import SegmodelsError


@dataclass(frozen=True)
class Layout:
    """One way a dataset lies below a folder.

    Attributes:
        title: whose way it is.
        images, labels: folders; `{split}` stands for the split's folder name.
        image_suffix, label_suffix: what follows the name of a sample.
        names: folder names of splits, where they differ from ours.
        listing: file with one name a line; without it every image of the folder counts.
        encoding: which of the dataset's ways of writing labels is used.
    """

    title: str
    images: str
    labels: str
    image_suffix: str = ".jpg"
    label_suffix: str = ".png"
    names: dict[str, str] = field(default_factory=dict)
    listing: str | None = None
    encoding: str = ""

    def needs(self, split: str) -> list[str]:
        """Folders and files that a split needs, relative to the root; folders end in `/`."""
        name = self.names.get(split, split)
        folders = [f"{folder.format(split=name)}/" for folder in (self.images, self.labels)]
        return folders + ([self.listing.format(split=name)] if self.listing else [])

    def missing(self, root: AnyPath, split: str) -> list[str]:
        """What of `needs` is not there."""
        return [
            path
            for path in self.needs(split)
            if not (root / path).is_dir() and (path.endswith("/") or not (root / path).is_file())
        ]

    def is_here(self, root: AnyPath, split: str) -> bool:
        """Whether a split lies below `root` in this way: its folders, and a label of an image.

        Two ways may share their folders and differ in how label files end.
        """
        if self.missing(root, split):
            return False
        images, labels = (root / folder for folder in self.needs(split)[:2])
        ours = (name for name in files_below(labels) if name.endswith(self.label_suffix))
        named = (name.removesuffix(self.label_suffix) for name in ours)
        return any((images / f"{name}{self.image_suffix}").is_file() for name in named)

    def files(self, root: AnyPath, split: str) -> list[Files]:
        """The samples of a split, sorted by path or in the order of the listing.

        Raises:
            SegmodelsError: a folder, the listing, an image or a label is missing.
        """
        if missing := self.missing(root, split):
            raise SegmodelsError(f"{root}: {', '.join(missing)} missing (split {split!r}).")
        images, labels = (root / folder for folder in self.needs(split)[:2])
        names = self._names(root, split, images)
        found = [self._sample(images, labels, name) for name in names]
        self._check("images", images, (f.image for f in found))
        self._check("labels", labels, (f.label for f in found))
        return found

    def _sample(self, images: AnyPath, labels: AnyPath, name: str) -> Files:
        image, label = images / f"{name}{self.image_suffix}", labels / f"{name}{self.label_suffix}"
        return Files(name.rpartition("/")[2], image, label)

    def _names(self, root: AnyPath, split: str, images: AnyPath) -> list[str]:
        if self.listing:
            return read_listing(root / self.needs(split)[2])
        suffix, found = self.image_suffix, list(files_below(images))
        for name in sorted(found):
            if not name.endswith(suffix) and spelled(name).endswith(spelled(suffix)):
                raise SegmodelsError(
                    f"{images / name}: images of this layout end in {suffix}; rename it."
                )
        return sorted(name.removesuffix(suffix) for name in found if name.endswith(suffix))

    def _check(self, what: str, folder: AnyPath, wanted: Iterable[AnyPath]) -> None:
        """One look at the folder instead of one at every file."""
        here = {str(folder / name) for name in files_below(folder)}
        lost = [path for path in wanted if str(path) not in here]
        if lost:
            others = f" and {len(lost) - 1} more {what}" if len(lost) > 1 else ""
            raise SegmodelsError(f"{lost[0]}: missing{others}. Unpack the archive again.")


def files_below(folder: AnyPath, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
    """Relative names of the files of a folder and of its folders, unsorted.

    Left out are files that are nobody's data, and links to a folder that they lie in.

    Args:
        folder: on a disk or in an archive.
        above: the folders it lies in, by device and number.

    Raises:
        SegmodelsError: a folder may not be read, or its disk has gone.
    """
    if isinstance(folder, Member):
        yield from (name for name in folder.walk() if not has_stray_part(name))
        return
    try:
        about = folder.stat()
        with os.scandir(folder) as entries:
            found = [(one, _is_folder(one)) for one in entries if not is_stray(one.name)]
    except OSError as error:
        raise SegmodelsError(f"{folder}: cannot be read ({error.strerror or error}).") from None
    number = (about.st_dev, about.st_ino)
    if number in above:
        return
    for entry, is_folder in found:
        if is_folder:
            inside = files_below(Path(entry.path), above | {number})
            yield from (f"{entry.name}/{inner}" for inner in inside)
        else:
            yield entry.name


def spelled(name: str) -> str:
    """A name without its upper case, and with one of the spellings of an ending."""
    lower = name.lower()
    for long, short in ((".jpeg", ".jpg"), (".jpe", ".jpg"), (".tiff", ".tif")):
        lower = lower.removesuffix(long) + short if lower.endswith(long) else lower
    return lower


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Also of a link; one that leads in a circle is a file, which reading it will tell."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def read_listing(path: AnyPath) -> list[str]:
    """Names of a list file, one a line.

    Raises:
        SegmodelsError: it is missing, no text, empty, or names something twice.
    """
    try:
        names = path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise SegmodelsError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise SegmodelsError(f"{path}: no text ({error}).") from None
    if not names:
        raise SegmodelsError(f"{path}: empty. It should name one image a line.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SegmodelsError(f"{path}: {twice!r} is listed twice.")
    if odd := [name for name in names if name.startswith("/") or ".." in name.split("/")]:
        raise SegmodelsError(f"{path}: {odd[0]!r} is no name of an image of this folder.")
    return names


@dataclass(frozen=True)
class Place:
    """A dataset found on disk.

    Attributes:
        root: what the layout's folders are relative to.
        layout: how it lies there.
        splits: those that are there.
    """

    root: AnyPath
    layout: Layout
    splits: tuple[str, ...]


def find_place(
    path: AnyPath, layouts: Iterable[Layout], below: Iterable[str], splits: tuple[str, ...]
) -> Place | None:
    """Where a dataset lies at or below `path`; None if it does not. More splits go first."""
    found = [
        Place(path / prefix, layout, here)
        for prefix in below
        for layout in layouts
        if (here := tuple(s for s in splits if layout.is_here(path / prefix, s)))
    ]
    return max(found, key=lambda place: len(place.splits), default=None)


def what_is_missing(
    path: AnyPath, layouts: Iterable[Layout], below: Iterable[str], splits: tuple[str, ...]
) -> str:
    """A sentence about a folder that holds no dataset: the nearest layout, and what it lacks."""
    tries = [
        (path / prefix, layout, split)
        for prefix in below
        for layout in layouts
        for split in splits
        if (path / prefix).is_dir()
    ]
    root, layout, split = max(tries, key=lambda t: -_lack(*t))
    lacking = layout.missing(root, split)
    if not lacking:
        labels = root / layout.needs(split)[1]
        return f"{labels} holds no file *{layout.label_suffix} that belongs to an image."
    if len(lacking) == len(layout.needs(split)):
        return f"Expected, as in {layout.title}: {', '.join(layout.needs(split))}."
    return f"{root} looks like {layout.title}, but {', '.join(lacking)} is missing."


def _lack(root: AnyPath, layout: Layout, split: str) -> float:
    return len(layout.missing(root, split)) / len(layout.needs(split))
