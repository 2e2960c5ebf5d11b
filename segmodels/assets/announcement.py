"""The announcement of a download: number of files, sizes, licence, and whether it fits."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from segmodels.assets.hub import HubFile
from segmodels.assets.mirror import mirror_candidates
from segmodels.assets.remote_file import RemoteFile
from segmodels.core.files import readable_size
from segmodels.core.settings import MIRROR
from segmodels.errors import SegmodelsError


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


def announce(name: str, licence: str, files: Iterable[RemoteFile], folder: Path) -> None:
    """Print the announcement of a download; an error where it does not fit on the disk.

    Files that are here, in the mirror or in the cache of the Hub are not counted; whether they are
    the right ones is asked when they are taken, since hashing gigabytes takes a while.
    """
    lacking = [f for f in files if not _is_here(f, folder)]
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


def _is_here(file: RemoteFile, folder: Path) -> bool:
    if (folder / file.name).is_file() or mirror_candidates(file):
        return True
    hub = HubFile.at(file.address)
    return hub is not None and hub.cached() is not None


def free_space(folder: Path) -> int:
    """Bytes free where a folder is, or will be."""
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.is_dir())).free
