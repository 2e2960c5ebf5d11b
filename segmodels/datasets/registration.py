"""Copies of datasets that are on this machine already: found, checked, used where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from segmodels.assets.entries import DatasetEntry
from segmodels.core.settings import project_root
from segmodels.datasets.fingerprint import check_number
from segmodels.datasets.reading.base import Dataset
from segmodels.datasets.reading.folder import (
    POINTER,
    Copy,
    FolderDataset,
    copy_of,
    read_pointer,
    write_pointer,
)
from segmodels.datasets.reading.layouts import Place
from segmodels.errors import SegmodelsError, UnknownNameError, UnreadableError

#: Samples of a split that are decoded when it is added; `prepare` decodes all.
_LOOK = 3


@dataclass(frozen=True)
class Inspection:
    """What a folder holds: where, in which layout, how many images per split, what is odd."""

    place: Place
    images: dict[str, int]
    notes: tuple[str, ...]


def registration_path(name: str) -> Path:
    """Where a project keeps the path of a copy."""
    return project_root() / "data" / "registered" / f"{name}.json"


def registered(name: str) -> Copy | None:
    """The copy that was added, if one was."""
    path = registration_path(name)
    return read_pointer(path) if path.is_file() else None


def register(name: str, copy: Copy) -> Path:
    """Write down where a copy is; returns the file."""
    path = registration_path(name)
    write_pointer(path, copy)
    return path


def inspect(
    kind: type[Dataset],
    entry: DatasetEntry,
    path: Path,
    splits: Iterable[str] = (),
    skip: bool = False,
) -> Inspection:
    """Look at a copy: its layout, every file name, the number of images, a few samples.

    Args:
        kind: the dataset it should be.
        entry: what `params/datasets.yaml` expects of it.
        path: the folder of the dataset, one above it, or its archive.
        splits: only these; default all that are there.
        skip: a damaged sample is only noted.

    Raises:
        UnknownNameError: no such split.
        SegmodelsError: it is not there, incomplete, or labels are written in another way.
    """
    if entry.own:
        raise SegmodelsError(
            f"{entry.name} is your own: its folder is the field 'folder' of {entry.file}."
        )
    if not issubclass(kind, FolderDataset):
        raise SegmodelsError(f"{kind.name} needs no copy of yours: dvc repro makes it.")
    for split in splits:
        if split not in kind.splits:
            raise UnknownNameError(f"split of {kind.name}", split, kind.splits)
    place = kind.recognise(path)
    chosen = tuple(splits) or place.splits
    if absent := [split for split in chosen if split not in place.splits]:
        lacking = place.layout.missing(place.root, absent[0])
        raise SegmodelsError(f"{place.root}: split {absent[0]!r} lacks {', '.join(lacking)}.")
    images, notes = {}, []
    for split, dataset in _opened(kind, place, chosen):
        images[split] = len(dataset)
        notes += check_number(entry, split, len(dataset))
        for index in sorted({i * (len(dataset) - 1) // (_LOOK - 1) for i in range(_LOOK)}):
            notes += _damage(dataset, index, skip)
    return Inspection(Place(place.root, place.layout, chosen), images, tuple(notes))


def _opened(
    kind: type[FolderDataset], place: Place, splits: Iterable[str]
) -> Iterator[tuple[str, Dataset]]:
    """Splits, opened the way runs will open them: through a pointer."""
    with TemporaryDirectory() as folder:
        write_pointer(Path(folder) / POINTER, copy_of(place))
        yield from ((split, kind(Path(folder), split)) for split in splits)


def _damage(dataset: Dataset, index: int, skip: bool) -> list[str]:
    """Decode a sample; a note if it is damaged and may be."""
    try:
        dataset.read(index)
    except UnreadableError as error:
        if not skip:
            raise
        return [f"left out: {error}"]
    return []
