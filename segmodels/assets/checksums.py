"""Checksums: files compared with registered or pinned digests."""

from __future__ import annotations

import zipfile
from pathlib import Path

from segmodels.assets.entries import WeightsEntry
from segmodels.assets.remote_file import RemoteFile
from segmodels.core.files import sha1_of_file, sha256_of_file
from segmodels.errors import SegmodelsError


def fault(file: RemoteFile, path: Path) -> str | None:
    """What is wrong with a file, None if it is the registered one."""
    if file.accepted:
        found = sha256_of_file(path)
        if found not in file.accepted:
            return f"its sha256 is {found}, not the {_accepted(file)}"
    elif file.sha256_prefix:
        if not (found := sha256_of_file(path)).startswith(file.sha256_prefix):
            return f"its sha256 {found} does not begin with {file.sha256_prefix}, as it should"
    elif file.sha1:
        if (found := sha1_of_file(path)) != file.sha1:
            return f"its sha1 is {found}, not the published {file.sha1}"
    elif file.name.endswith(".zip") and not zipfile.is_zipfile(path):
        # Without a promised digest nothing more is known before its content is decoded.
        return "it is not a whole zip archive"
    return None


def check_files(entry: WeightsEntry, folder: Path) -> None:
    """Check every file of released weights before it is used: a description decides counts too.

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


def _accepted(file: RemoteFile) -> str:
    """The sha256 that a file should have, and its source."""
    if file.sha256:
        return f"registered {file.sha256[0]}"
    return (
        f"{file.accepted[0]} that was noted in params/weights.lock.yaml when it first came (if its "
        f"authors replaced it on purpose, remove its note there)"
    )
