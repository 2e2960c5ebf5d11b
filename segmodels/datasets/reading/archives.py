"""Taking the files of a dataset out of its archive, and nothing else."""

from __future__ import annotations

import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from segmodels.assets.entries import DatasetEntry
from segmodels.core.listing import has_stray_part
from segmodels.core.zips import refuse_bomb
from segmodels.errors import SegmodelsError

#: What zipfile and tarfile raise for damaged archives, depending on where the damage is; a
#: member that claims to be encrypted or packed by an unknown method is a RuntimeError.
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    struct.error,
    ValueError,
    RuntimeError,
)

#: Where a member goes, relative to the folder; None leaves it in the archive.
Target = Callable[[str], str | None]


def unpack(archive: Path, folder: Path, target: Target) -> int:
    """Unpack the members of a zip or tar archive that have a target.

    Members are written by us, so neither links nor paths in an archive lead out of `folder`
    as long as `target` does not.

    Returns:
        how many files were written.

    Raises:
        SegmodelsError: the archive is missing or damaged.
    """
    opened = _unpack_tar if archive.suffix == ".tar" else _unpack_zip
    try:
        return opened(archive, folder, target)
    except FileNotFoundError:
        raise SegmodelsError(f"{archive}: missing. Download it again.") from None
    except _DAMAGED as error:
        raise SegmodelsError(
            f"{archive}: damaged ({error}). Delete it and download it again."
        ) from None


def _unpack_zip(archive: Path, folder: Path, target: Target) -> int:
    written = 0
    with zipfile.ZipFile(archive) as packed:
        refuse_bomb(packed, archive)
        for member in packed.namelist():
            if not has_stray_part(member) and (place := target(member)):
                with packed.open(member) as source:
                    written += _write(source, folder / place)
    return written


def _unpack_tar(archive: Path, folder: Path, target: Target) -> int:
    written = 0
    with tarfile.open(archive, "r:") as packed:  # as published; a packed one could be a bomb
        for member in packed:
            if member.issparse():
                raise tarfile.TarError(f"{member.name!r} has more bytes than the archive")
            source = packed.extractfile(member) if member.isfile() else None
            stray = has_stray_part(member.name)
            if source is not None and not stray and (place := target(member.name)):
                written += _write(source, folder / place)
    return written


def _write(source: IO[bytes], path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    return 1


def archives_of(entry: DatasetEntry, downloads: Path | None) -> list[Path]:
    """The downloaded archives of a dataset.

    Raises:
        SegmodelsError: there are none, because no program can fetch them.
    """
    if downloads is None or not entry.archives:
        raise SegmodelsError(
            f"{entry.name} is prepared from its archive, and none was downloaded. Where to get it "
            f"and how to use a copy that is here: segmodels data show {entry.name}"
        )
    return [downloads / archive.name for archive in entry.archives]
