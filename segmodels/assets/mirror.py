"""The local mirror: a folder that is searched for files before any network."""

from __future__ import annotations

from pathlib import Path

from segmodels.assets.checksums import fault
from segmodels.assets.remote_file import RemoteFile
from segmodels.core.files import sha256_of_file
from segmodels.core.listing import without_strays
from segmodels.core.settings import MIRROR, mirror_dir
from segmodels.errors import SegmodelsError


def find_in_mirror(file: RemoteFile, owner: str = "") -> Path | None:
    """A matching file in the mirror; without a digest, one in a folder named by its `owner`."""
    found = mirror_candidates(file)
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


def mirror_candidates(file: RemoteFile) -> list[Path]:
    """Files of its name in the mirror."""
    mirror = mirror_dir()
    if mirror is None:
        return []
    return [path for path in without_strays(mirror, mirror.rglob(file.name)) if path.is_file()]


def _alike(file: RemoteFile, owner: str, found: list[Path]) -> list[Path]:
    """Many checkpoints share a file name: without a digest, files that differ are refused."""
    if len({sha256_of_file(path) for path in found}) > 1:
        raise SegmodelsError(
            f"{found[0]} and {found[1]}: both are in the mirror ({MIRROR}), and no sha256 tells "
            f"which is the {file.name} of {owner}. Put the right one into a folder named {owner}."
        )
    return found
