"""Bringing files here: from the local mirror if it has them, else from their address."""

from __future__ import annotations

import errno
import hashlib
import shutil
import ssl
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from segmodels.assets import DatasetEntry, RemoteFile, WeightsEntry
from segmodels.errors import SegmodelsError
from segmodels.files import sha1_of_file, sha256_of_file
from segmodels.locks import only_one
from segmodels.settings import CACHE, MIRROR, cache_dir, mirror_dir

_CHUNK = 1 << 20
_TIMEOUT = 60.0
_LARGE = 500_000_000
#: What a network does to a download; other OSErrors come from the disk.
_BROKEN = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


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
    target = folder / file.name
    if target.is_file() and fault(file, target) is None:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mirrored = _in_mirror(file)
        if mirrored:
            _copy(mirrored, target)
        else:
            _download_to(file, target)
    except OSError as error:
        raise SegmodelsError(
            f"{error.filename or target}: {error.strerror or error}. Room is needed there and in "
            f"{cache_dir()} ({CACHE})."
        ) from error
    return target


def fetch_weights(entry: WeightsEntry, folder: Path) -> Path:
    """Fetch all files of a released checkpoint; returns the folder.

    Raises:
        SegmodelsError: it cannot be obtained; the message gives the registered reason.
    """
    if entry.state != "ok":
        raise SegmodelsError(f"weights {entry.name!r} are {entry.state}: {entry.reason}")
    for file in entry.files:
        fetch(file, folder)
    return folder


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
    _announce(entry, folder)
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


def _announce(entry: DatasetEntry, folder: Path) -> None:
    """Say how much a large dataset is before its first byte comes, and refuse where it cannot fit.

    Files that are here or in the mirror are not counted again.
    """
    lacking = [f for f in entry.archives if not (folder / f.name).is_file() and not _in_mirror(f)]
    size = sum(file.bytes or 0 for file in lacking)
    if size < _LARGE:
        return
    folder.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(folder).free, 2 * size
    tqdm.write(
        f"{entry.name}: {len(lacking)} files, about {size / 1e9:.1f} GB to download, twice that on "
        f"the disk once unpacked. Licence: {entry.licence}",
        file=sys.stderr,
    )
    if free < needed:
        raise SegmodelsError(
            f"{folder}: {free / 1e9:.1f} GB are free, about {needed / 1e9:.1f} GB are needed for "
            f"{entry.name}. Make room, or use a copy where it lies: segmodels data add "
            f"{entry.name} PATH"
        )


def fault(file: RemoteFile, path: Path) -> str | None:
    """What is wrong with a file, None if it is the registered one."""
    if file.sha256:
        found = sha256_of_file(path)
        if found not in file.sha256:
            return f"its sha256 is {found}, not the registered {file.sha256[0]}"
    elif file.sha1:
        if (found := sha1_of_file(path)) != file.sha1:
            return f"its sha1 is {found}, not the published {file.sha1}"
    elif file.name.endswith(".zip") and not zipfile.is_zipfile(path):
        # Without a promised digest this is what can be said before its content is decoded.
        return "it is not a whole zip archive"
    return None


def _in_mirror(file: RemoteFile) -> Path | None:
    mirror = mirror_dir()
    found = sorted(p for p in mirror.rglob(file.name) if p.is_file()) if mirror else []
    for path in found:
        if fault(file, path) is None:
            return path
    if found:
        raise SegmodelsError(
            f"{found[0]}: in the mirror ({MIRROR}) under the right name, but "
            f"{fault(file, found[0])}. Replace or remove it."
        )
    return None


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _download_to(file: RemoteFile, target: Path) -> None:
    # Many checkpoints share a file name; their addresses differ.
    address = hashlib.sha256(file.url.encode()).hexdigest()[:12]
    part = cache_dir() / "downloads" / f"{address}-{file.name}.part"
    with only_one(part.with_suffix(".lock"), f"download of {file.name}"):
        _download(file, part)
        try:
            part.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # the cache may lie on another disk
                raise
            _copy(part, target)
            part.unlink()


def _download(file: RemoteFile, part: Path) -> None:
    """Download into the cache and check."""
    try:
        _stream(file, part)
    except (*_BROKEN, ValueError) as error:
        kept = part.stat().st_size if part.exists() else 0
        kept_note = f" {kept:,} bytes are kept and the next try goes on from there." if kept else ""
        raise SegmodelsError(
            f"{file.name}: cannot be downloaded from {file.url} ({error}).{kept_note} Without "
            f"network, put the file into a folder and set {MIRROR} to it."
        ) from error
    if wrong := fault(file, part):
        part.unlink()  # going on from wrong bytes could never end well
        raise SegmodelsError(
            f"{file.name}: downloaded from {file.url}, but {wrong}. The download was discarded; "
            f"the address may serve another file now."
        )


def _stream(file: RemoteFile, part: Path) -> None:
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(file.url, headers={"User-Agent": "segmodels"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    with _opened(request) as (response, resumed, total):
        if not resumed:
            done = 0
        expected = done + total if total else None
        with part.open("ab" if resumed else "wb") as sink:
            _pump(response, sink, file.name, done, expected)
    if expected is not None and part.stat().st_size < expected:
        raise ConnectionError(f"the connection ended after {part.stat().st_size} of {expected} B")


@contextmanager
def _opened(request: urllib.request.Request) -> Iterator[tuple[BinaryIO, bool, int | None]]:
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:  # "range not satisfiable": the part is already whole, or too long
            raise
        request.remove_header("Range")
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    with response:
        length = response.headers.get("Content-Length")
        yield response, response.status == 206, int(length) if length else None


def _pump(source: BinaryIO, sink: BinaryIO, name: str, done: int, expected: int | None) -> None:
    with tqdm(total=expected, initial=done, unit="B", unit_scale=True, desc=name) as bar:
        try:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)
                bar.update(len(chunk))
        except IncompleteRead as error:
            sink.write(error.partial)  # what came of the last chunk before the line broke
            raise
