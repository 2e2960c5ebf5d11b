"""Transfer of one file to its place, checked: from an address, or from the Hugging Face Hub."""

from __future__ import annotations

import errno
import hashlib
import shutil
from pathlib import Path

from segmodels.assets.checksums import fault
from segmodels.assets.hub import HubFile
from segmodels.assets.partial import Partial
from segmodels.assets.remote_file import RemoteFile
from segmodels.core.locks import only_one
from segmodels.core.settings import MIRROR, cache_dir, connections_at_once
from segmodels.errors import PassingError, SegmodelsError


def take_from_hub(file: RemoteFile, hub: HubFile, target: Path) -> str:
    """Copy a file from the cache of the Hub, into which it is downloaded first if need be.

    A damaged file in that cache is fetched once more.

    Returns:
        the commit it belongs to.

    Raises:
        SegmodelsError: the Hub does not give it out, or gives another file.
        OSError: there is no room on the disk.
    """
    path, commit = hub.download()
    if fault(file, path):
        path, commit = hub.download(again=True)
    if wrong := fault(file, path):
        raise SegmodelsError(f"{hub}: downloaded, but {wrong}. The Hub may have another file now.")
    copy_file(path, target)
    return commit


def take_from_address(file: RemoteFile, target: Path) -> None:
    """Download a file into the cache, check it, and move it to its place.

    Raises:
        SegmodelsError: unreachable, or not the file that it should be.
        OSError: there is no room on the disk.
    """
    # Many checkpoints share a file name; their addresses differ.
    address = hashlib.sha256(file.address.encode()).hexdigest()[:12]
    part = cache_dir() / "downloads" / f"{address}-{file.name}.part"
    with only_one(part.with_suffix(".lock"), f"download of {file.name}"):
        _download(file, part)
        try:
            part.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # the cache may lie on another disk
                raise
            copy_file(part, target)
        Partial.forget(part)


def _download(file: RemoteFile, part: Path) -> None:
    """Download into the cache and check. Bytes of an earlier try that prove wrong are not blamed
    on the address: then everything is fetched once more.
    """
    resumed = _complete(file, part)
    wrong = fault(file, part)
    if wrong and resumed:
        Partial.forget(part)
        _complete(file, part)
        wrong = fault(file, part)
    if wrong:
        Partial.forget(part)  # going on from wrong bytes could never end well
        raise SegmodelsError(
            f"{file.name}: downloaded from {file.address}, but {wrong}. The download was "
            f"discarded; the address may serve another file now."
        )


def _complete(file: RemoteFile, part: Path) -> bool:
    """Download what is missing; True if a part was here before."""
    from segmodels.assets.download import DownloadError, download

    with Partial(part) as partial:
        before = partial.have
        try:
            download(file.address, partial, file.name, connections_at_once())
        except DownloadError as error:
            rest = f" {partial.have:,} bytes are kept and the next try goes on from there."
            kind = PassingError if error.passing else SegmodelsError
            raise kind(
                f"{file.name}: cannot be downloaded from {file.address} ({error})."
                f"{rest if partial.have else ''} Without network, put the file into a folder and "
                f"set {MIRROR} to it."
            ) from error
        return before > 0


def copy_file(source: Path, target: Path) -> None:
    """Copy a file whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
