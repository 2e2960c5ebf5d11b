"""Fetching files: from the local mirror if it has them, else from their address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segmodels.assets.added import added_file, is_added
from segmodels.assets.addresses import names_branch
from segmodels.assets.announcement import announce
from segmodels.assets.checksums import fault
from segmodels.assets.entries import DatasetEntry, WeightsEntry
from segmodels.assets.hub import HubFile
from segmodels.assets.mirror import find_in_mirror
from segmodels.assets.pins import Origin, Pin, lock_path, note_pins
from segmodels.assets.remote_file import RemoteFile
from segmodels.assets.transfer import copy_file, take_from_address, take_from_hub
from segmodels.core.files import sha256_of_file
from segmodels.core.settings import CACHE, cache_dir, project_root
from segmodels.errors import SegmodelsError


@dataclass(frozen=True)
class Fetched:
    """A file that is here: its path, where it came from, and its revision if known."""

    path: Path
    origin: Origin
    revision: str = ""


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Put one file into a folder, checked.

    A file already there with an accepted sha256 is kept. The mirror is searched by file name
    and sha256. A broken download leaves its beginning in the cache and goes on from there
    next time; the file appears in `folder` whole or not at all.

    Returns:
        the path of the file.

    Raises:
        SegmodelsError: unreachable, wrong checksum, or no room on the disk.
    """
    return _fetched(file, folder).path


def _fetched(file: RemoteFile, folder: Path, owner: str = "") -> Fetched:
    target = folder / file.name
    if target.is_file() and fault(file, target) is None:
        return Fetched(target, "folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if added := added_file(file, owner):
            copy_file(added, target)
            return Fetched(target, "user")
        mirrored = find_in_mirror(file, owner)
        if mirrored:
            copy_file(mirrored, target)
            return Fetched(target, "mirror")
        if hub := HubFile.at(file.address):
            return Fetched(target, "address", take_from_hub(file, hub, target))
        take_from_address(file, target)
        return Fetched(target, "address")
    except OSError as error:
        raise SegmodelsError(
            f"{error.filename or target}: {error.strerror or error}. Room is needed there and in "
            f"{cache_dir()} ({CACHE}), or in the cache of the Hugging Face Hub (HF_HOME)."
        ) from error


def fetch_weights(
    entry: WeightsEntry, folder: Path, accept: Callable[[Path], object] = lambda _: None
) -> Path:
    """Fetch all files of a released checkpoint; returns the folder.

    What came of files without a registered sha256 is noted in `params/weights.lock.yaml`, so that
    nothing else is taken from then on.

    Args:
        entry: of `params/weights.yaml`.
        folder: of the files.
        accept: opens the folder and raises if it holds no such network; then nothing is noted.

    Raises:
        SegmodelsError: it cannot be obtained; the message gives the registered reason.
    """
    if entry.state != "ok" and not is_added(entry):
        raise SegmodelsError(
            f"weights {entry.name!r} are {entry.state}: {entry.reason}. With their file: segmodels "
            f"weights add {entry.name} FILE"
        )
    announce(entry.name, entry.licence, entry.files, folder)
    came = [(file, _fetched(file, folder, entry.name)) for file in entry.files]
    accept(folder)
    if found := {file.name: _pin(file, one) for file, one in came if _is_unpinned(file, one)}:
        note_pins(lock_path(project_root() / "params" / "weights.yaml"), entry.name, found)
    return folder


def _is_unpinned(file: RemoteFile, fetched: Fetched) -> bool:
    """Whether its sha256, or the commit behind an address that names a branch, is not known yet."""
    on_a_branch = names_branch(file.address) and bool(fetched.revision)
    return on_a_branch or not file.accepted


def _pin(file: RemoteFile, fetched: Fetched) -> Pin:
    size, revision = fetched.path.stat().st_size, fetched.revision if names_branch(file.url) else ""
    return Pin(
        sha256=sha256_of_file(fetched.path),
        bytes=size,
        url=file.url,
        origin=fetched.origin,
        revision=revision,
    )


def fetch_archives(entry: DatasetEntry, folder: Path) -> Path:
    """Fetch all archives of a dataset; returns the folder.

    What is behind a registration comes from the mirror, where its user has put it.

    Raises:
        SegmodelsError: it cannot be obtained; the message gives the registered reason.
    """
    if entry.state != "ok" and not archives_at_hand(entry, folder):
        raise SegmodelsError(
            f"dataset {entry.name!r} is {entry.state}: {entry.reason}. Where to get it and how to "
            f"use a copy that is here: segmodels data show {entry.name}"
        )
    announce(entry.name, entry.licence, entry.archives, folder)
    for file in entry.archives:
        fetch(file, folder)
    return folder


def archives_at_hand(entry: DatasetEntry, folder: Path) -> bool:
    """Whether all archives of a dataset are in a folder or in the mirror (there are some).

    Raises:
        SegmodelsError: the mirror has one, but damaged or another.
    """
    here = [(folder / f.name).is_file() or find_in_mirror(f) is not None for f in entry.archives]
    return bool(here) and all(here)
