"""Zip archives of others: how much they may unpack to."""

from __future__ import annotations

import zipfile
from pathlib import Path

from segmodels.errors import SegmodelsError

#: What always may come out of an archive, bytes; a bomb needs more to do harm.
_HARMLESS = 2**30

#: How many times its own bytes an archive may unpack to. Label maps take a hundredth.
_TIMES = 300


def refuse_bomb(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that would fill memory or disk, before any of it is unpacked.

    What its list says of a member is the most that `zipfile` takes out of it.

    Raises:
        SegmodelsError: its members are far larger than it is, by their compression or because
            they share their bytes.
    """
    size, unpacked = path.stat().st_size, sum(one.file_size for one in archive.infolist())
    if unpacked > max(_HARMLESS, _TIMES * size):
        raise SegmodelsError(
            f"{path}: {size} bytes that would unpack to {unpacked / 1e9:.1f} GB, more than any "
            f"dataset or network does; not opened. Get it from where it was published."
        )
