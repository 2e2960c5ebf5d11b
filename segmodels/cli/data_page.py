"""What people read about datasets: a line for each, and a page about one."""

from __future__ import annotations

from collections.abc import Iterator

from segmodels.assets.announcement import download_note
from segmodels.assets.entries import DatasetEntry, load_dataset_entries
from segmodels.core.files import read_json
from segmodels.core.paths import downloads
from segmodels.core.settings import MIRROR
from segmodels.datasets.described import description_path
from segmodels.datasets.reading.folder import FolderDataset
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import DATASETS, data_folder


def dataset_lines() -> Iterator[str]:
    """Name, state, size and title of every dataset."""
    for name, entry in sorted(load_dataset_entries().items()):
        yield f"{name:20} {state(entry):12} {_size(entry):>8}  {entry.title}"


def state(entry: DatasetEntry) -> str:
    """Its state in the world, or what is here of it: `prepared`, or `added` and not yet read."""
    if description_path(entry.name).is_file() and data_folder(entry.name).is_dir():
        return "prepared"
    return "added" if registered(entry.name) else entry.state


def _size(entry: DatasetEntry) -> str:
    total = sum(archive.bytes or 0 for archive in entry.archives)
    return f"{total / 1e9:.1f} GB" if total else "-"


def dataset_page(entry: DatasetEntry) -> Iterator[str]:
    """Everything a person needs to know to get a dataset and use it here."""
    yield f"{entry.name}: {entry.title}"
    yield f"state: {state(entry)}" + (f" ({entry.reason})" if entry.reason else "")
    yield f"from: {entry.source}"
    yield f"licence: {' '.join(entry.licence.split()) or 'not known'}"
    here = read_json(description_path(entry.name))["splits"] if state(entry) == "prepared" else {}
    for split, expected in entry.splits.items():
        known = "known" if expected.fingerprint else "not recorded yet"
        number = expected.images or here.get(split, {}).get("images", "?")
        yield f"split {split}: {number} images, fingerprint {known}"
    if entry.note:
        yield f"note: {' '.join(entry.note.split())}"
    if entry.own:
        yield f"described in {entry.file}, used where it lies: {entry.own.place}"
        yield f"classes: {', '.join(entry.own.class_names)}"
        yield f"after a change: segmodels data check {entry.name}"
    yield from _archives(entry)
    yield from _copies(entry)


def _archives(entry: DatasetEntry) -> Iterator[str]:
    for archive in entry.archives:
        size = f", about {archive.bytes / 1e9:.2f} GB" if archive.bytes else ""
        digest = f", sha1 {archive.sha1}" if archive.sha1 else ""
        yield f"file: {archive.name}{size}{digest}"
        yield f"  {archive.url}"
    if not entry.archives:
        return
    folder = downloads(entry.name)
    yield download_note(entry.name, entry.licence, entry.archives, folder)
    if entry.state == "gated":
        yield from _steps(entry)
    else:
        yield f"fetched when a run needs it, or taken from the folder that {MIRROR} names"


def _steps(entry: DatasetEntry) -> Iterator[str]:
    """From no account to a number, for what no program may fetch."""
    yield "to get it:"
    yield f"  1. register and accept the terms: {entry.registration}"
    yield "  2. log in and download the files above; their size is the first thing to check"
    yield "  3. put them into one folder; they may stay packed, or keep their inner folders"
    yield f"  4. segmodels data add {entry.name} FOLDER"
    yield "     counts images, looks for every label, decodes a few; copies nothing"
    yield f"  5. segmodels data check {entry.name}    # optional: decodes every file"
    yield f"  6. segmodels list claims | grep {entry.name}, then segmodels verify CLAIM"
    yield f"  or put the files as they are into the folder that {MIRROR} names:"
    yield "     a run that needs them takes them from there, checked by the sha1 above"
    yield "  what was added stays where it is and is never uploaded, by DVC or otherwise"


def _copies(entry: DatasetEntry) -> Iterator[str]:
    kind = DATASETS.get(entry.name)
    if kind is None or not issubclass(kind, FolderDataset):
        return
    if copy := registered(entry.name):
        inside = f", in {', '.join(copy.archives)}" if copy.archives else ""
        skips = "; images that cannot be read are left out" if copy.skip_unreadable else ""
        yield f"copy in use: {copy.path}{inside} ({', '.join(copy.splits)}){skips}"
    yield f"to use a copy that is here, where it lies: segmodels data add {entry.name} PATH"
    yield from _layouts(kind)


def _layouts(kind: type[FolderDataset]) -> Iterator[str]:
    below = ", ".join(folder for folder in kind.below if folder)
    if kind.archives:
        yield f"  PATH is, or holds, as they were published: {', '.join(kind.archives)}"
    yield f"  or PATH, or below it {below}, holds one of"
    for layout in kind.layouts:
        yield f"  {layout.title}:"
        for need in layout.needs(kind.splits[-1]):
            yield f"    {need}"
        yield f"    image *{layout.image_suffix}, label *{layout.label_suffix}"
