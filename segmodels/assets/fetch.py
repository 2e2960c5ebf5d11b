"""Bringing files here: from the local mirror if it has them, else from their address."""

from __future__ import annotations

import errno
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from segmodels.assets.addresses import names_branch
from segmodels.assets.entries import DatasetEntry, RemoteFile, WeightsEntry
from segmodels.assets.partial import Partial
from segmodels.assets.pins import Origin, Pin, lock_path, note_pins
from segmodels.core.files import readable_size, sha1_of_file, sha256_of_file
from segmodels.core.locks import only_one
from segmodels.core.settings import (
    CACHE,
    MIRROR,
    cache_dir,
    connections_at_once,
    mirror_dir,
    project_root,
)
from segmodels.errors import PassingError, SegmodelsError


@dataclass(frozen=True)
class Came:
    """A file that is here: its path, whence it came, and its revision if the host said one."""

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


def _fetched(file: RemoteFile, folder: Path, owner: str = "") -> Came:
    target = folder / file.name
    if target.is_file() and fault(file, target) is None:
        return Came(target, "folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mirrored = _in_mirror(file, owner)
        if mirrored:
            _copy(mirrored, target)
            return Came(target, "mirror")
        return Came(target, "address", _download_to(file, target))
    except OSError as error:
        raise SegmodelsError(
            f"{error.filename or target}: {error.strerror or error}. Room is needed there and in "
            f"{cache_dir()} ({CACHE})."
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
    if entry.state != "ok":
        raise SegmodelsError(f"weights {entry.name!r} are {entry.state}: {entry.reason}")
    _announce(entry.name, entry.licence, entry.files, folder)
    came = [(file, _fetched(file, folder, entry.name)) for file in entry.files]
    accept(folder)
    if found := {file.name: _pin(file, one) for file, one in came if _is_news(file, one)}:
        note_pins(lock_path(project_root() / "params" / "weights.yaml"), entry.name, found)
    return folder


def _is_news(file: RemoteFile, came: Came) -> bool:
    """Whether a file taught us its sha256, or the commit behind an address that may move."""
    moves = names_branch(file.address) and bool(came.revision)
    return moves or not file.accepted


def _pin(file: RemoteFile, came: Came) -> Pin:
    size, revision = came.path.stat().st_size, came.revision if names_branch(file.url) else ""
    return Pin(sha256_of_file(came.path), size, file.url, came.origin, revision)


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
    _announce(entry.name, entry.licence, entry.archives, folder)
    for file in entry.archives:
        fetch(file, folder)
    return folder


def archives_at_hand(entry: DatasetEntry, folder: Path) -> bool:
    """Whether all archives of a dataset are in a folder or in the mirror (there are some).

    Raises:
        SegmodelsError: the mirror has one, but damaged or another.
    """
    here = [(folder / f.name).is_file() or _in_mirror(f) is not None for f in entry.archives]
    return bool(here) and all(here)


def download_note(name: str, licence: str, files: Iterable[RemoteFile], folder: Path) -> str:
    """What a download is: number of files, size, free space where it goes, licence."""
    files = tuple(files)
    size, free = sum(file.bytes or 0 for file in files), free_space(folder)
    unknown = sum(file.bytes is None for file in files)
    parts = [f"about {readable_size(size)}"] if size else []
    parts += [f"{unknown} of a size that the server will say"] if unknown else []
    return (
        f"{name}: {len(files)} file{'s' * (len(files) != 1)} to download, {', '.join(parts)}; "
        f"{readable_size(free)} free. Licence: {' '.join(licence.split()) or 'not known'}"
    )


def _announce(name: str, licence: str, files: Iterable[RemoteFile], folder: Path) -> None:
    """Say what comes before its first byte does, and refuse where it cannot fit.

    Files that are here or in the mirror are not counted; whether they are the right ones is asked
    when they are taken, since hashing gigabytes takes a while.
    """
    lacking = [f for f in files if not (folder / f.name).is_file() and not _candidates(f)]
    if not lacking:
        return
    tqdm.write(download_note(name, licence, lacking, folder), file=sys.stderr)
    free = free_space(folder)
    if free < (size := sum(file.bytes or 0 for file in lacking)):
        raise SegmodelsError(
            f"{folder}: {readable_size(free)} are free, about {readable_size(size)} are needed for "
            f"{name}. Make room, or use a copy that is here (of a dataset: segmodels data add "
            f"{name} PATH; of any file: {MIRROR})."
        )


def free_space(folder: Path) -> int:
    """Bytes free where a folder is, or will be."""
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.is_dir())).free


def check_files(entry: WeightsEntry, folder: Path) -> None:
    """Look at every file of released weights before it is used: a description decides counts too.

    Raises:
        SegmodelsError: one is missing or is not the one that is registered or was noted.
    """
    for file in entry.files:
        path = folder / file.name
        problem = fault(file, path) if path.is_file() else "it is missing"
        if problem:
            raise SegmodelsError(
                f"{path}: {problem}. Remove it and fetch the weights again (dvc repro, or "
                f"segmodels evaluate)."
            )


def fault(file: RemoteFile, path: Path) -> str | None:
    """What is wrong with a file, None if it is the registered one."""
    if file.accepted:
        found = sha256_of_file(path)
        if found not in file.accepted:
            return f"its sha256 is {found}, not the {_told(file)}"
    elif file.sha1:
        if (found := sha1_of_file(path)) != file.sha1:
            return f"its sha1 is {found}, not the published {file.sha1}"
    elif file.name.endswith(".zip") and not zipfile.is_zipfile(path):
        # Without a promised digest this is what can be said before its content is decoded.
        return "it is not a whole zip archive"
    return None


def _told(file: RemoteFile) -> str:
    """The sha256 that a file should have, and who says so."""
    if file.sha256:
        return f"registered {file.sha256[0]}"
    return (
        f"{file.accepted[0]} that was noted in params/weights.lock.yaml when it first came (if its "
        f"authors replaced it on purpose, remove its note there)"
    )


def _candidates(file: RemoteFile) -> list[Path]:
    """Files of its name in the mirror."""
    mirror = mirror_dir()
    return sorted(p for p in mirror.rglob(file.name) if p.is_file()) if mirror else []


def _in_mirror(file: RemoteFile, owner: str = "") -> Path | None:
    """A right file in the mirror; if no digest tells, one in a folder named by its `owner`."""
    found = _candidates(file)
    if owner and not file.accepted:
        found = [path for path in found if path.parent.name == owner] or _alike(file, owner, found)
    for path in found:
        if fault(file, path) is None:
            return path
    if found:
        raise SegmodelsError(
            f"{found[0]}: in the mirror ({MIRROR}) under the right name, but "
            f"{fault(file, found[0])}. Replace or remove it."
        )
    return None


def _alike(file: RemoteFile, owner: str, found: list[Path]) -> list[Path]:
    """Many checkpoints share a file name: without a digest, files that differ are refused."""
    if len({sha256_of_file(path) for path in found}) > 1:
        raise SegmodelsError(
            f"{found[0]} and {found[1]}: both are in the mirror ({MIRROR}), and no sha256 tells "
            f"which is the {file.name} of {owner}. Put the right one into a folder named {owner}."
        )
    return found


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _download_to(file: RemoteFile, target: Path) -> str:
    """Download a file; returns the revision, if the host says it."""
    # Many checkpoints share a file name; their addresses differ.
    address = hashlib.sha256(file.address.encode()).hexdigest()[:12]
    part = cache_dir() / "downloads" / f"{address}-{file.name}.part"
    with only_one(part.with_suffix(".lock"), f"download of {file.name}"):
        revision = _download(file, part)
        try:
            part.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # the cache may lie on another disk
                raise
            _copy(part, target)
        Partial.forget(part)
    return revision


def _download(file: RemoteFile, part: Path) -> str:
    """Download into the cache and check. Bytes of an earlier try that prove wrong are not blamed
    on the address: then everything is fetched once more.
    """
    resumed, revision = _bring(file, part)
    wrong = fault(file, part)
    if wrong and resumed:
        Partial.forget(part)
        _, revision = _bring(file, part)
        wrong = fault(file, part)
    if wrong:
        Partial.forget(part)  # going on from wrong bytes could never end well
        raise SegmodelsError(
            f"{file.name}: downloaded from {file.address}, but {wrong}. The download was "
            f"discarded; the address may serve another file now."
        )
    return revision


def _bring(file: RemoteFile, part: Path) -> tuple[bool, str]:
    """Download what is missing; whether something was here before, and the revision if told."""
    from segmodels.assets.download import DownloadError, download

    with Partial(part) as partial:
        before = partial.have
        try:
            download(file.address, partial, file.name, connections_at_once())
        except DownloadError as error:
            kept = f" {partial.have:,} bytes are kept and the next try goes on from there."
            kind = PassingError if error.passing else SegmodelsError
            raise kind(
                f"{file.name}: cannot be downloaded from {file.address} ({error})."
                f"{kept if partial.have else ''} Without network, put the file into a folder and "
                f"set {MIRROR} to it."
            ) from error
        return before > 0, partial.revision
