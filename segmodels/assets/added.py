"""Weights that a user has and added: copies in `weights/added`, for what nobody can fetch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from segmodels.assets.checksums import fault
from segmodels.assets.entries import WeightsEntry
from segmodels.assets.pins import Pin
from segmodels.assets.remote_file import RemoteFile
from segmodels.core import paths
from segmodels.core.files import sha256_of_file
from segmodels.errors import SegmodelsError


def added_file(file: RemoteFile, owner: str) -> Path | None:
    """The copy of a file of some weights, if a user added it and it is the right one."""
    path = paths.added_weights(owner) / file.name
    return path if owner and path.is_file() and fault(file, path) is None else None


def is_added(entry: WeightsEntry) -> bool:
    """Whether a user added every file of an entry (there are some)."""
    found = [added_file(file, entry.name) for file in entry.files]
    return bool(found) and None not in found


def is_described(entry: WeightsEntry) -> bool:
    """Whether `params/weights.yaml` itself names the files of an entry, or only a user's copy."""
    return any(file.pin is None or file.pin.origin != "user" for file in entry.files)


def check_added(entry: WeightsEntry, files: Iterable[Path]) -> None:
    """Refuse files that cannot be those of an entry.

    Raises:
        SegmodelsError: one is missing, given twice, or not the registered or noted one; or other
            names are registered.
    """
    names: set[str] = set()
    for path in files:
        if not path.is_file():
            raise SegmodelsError(f"{path}: no such file.")
        if path.name in names:
            raise SegmodelsError(f"{path}: two files of the name {path.name!r} were given.")
        names.add(path.name)
    known = {file.name: file for file in entry.files}
    if is_described(entry) and names != known.keys():
        raise SegmodelsError(
            f"weights {entry.name!r} are the files {', '.join(sorted(known))}, not "
            f"{', '.join(sorted(names))}. Give them under these names."
        )
    for path in files:
        file = known.get(path.name)
        if file and (problem := fault(file, path)):
            forget = "" if is_described(entry) else f" First: segmodels weights forget {entry.name}"
            raise SegmodelsError(f"{path}: {problem}.{forget}")
    if known and names != known.keys():
        raise SegmodelsError(
            f"weights {entry.name!r} were added before as {', '.join(sorted(known))}. "
            f"First: segmodels weights forget {entry.name}"
        )


def pins_of(entry: WeightsEntry, files: Iterable[Path]) -> dict[str, Pin]:
    """Notes of files without a registered sha256, by file name."""
    known = {file.name: file for file in entry.files}
    return {
        path.name: Pin(
            sha256=sha256_of_file(path),
            bytes=path.stat().st_size,
            url=known[path.name].url if path.name in known else _address(entry),
            origin="user",
        )
        for path in files
        if path.name not in known or not known[path.name].accepted
    }


def _address(entry: WeightsEntry) -> str:
    """Where the weights are given out, as an address."""
    first = entry.source.split()[0].rstrip(",;")
    return first if first.startswith(("http://", "https://")) else f"https://{first}"
