"""Entries whose files are gone (`segmodels watch`) count as lost on the local board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from segmodels.assets.entries import DatasetEntry, WeightsEntry
from segmodels.assets.remote_file import RemoteFile
from segmodels.assets.watch import Watched

Source = TypeVar("Source", WeightsEntry, DatasetEntry)


def weights_as_seen(
    entries: Mapping[str, WeightsEntry], seen: Mapping[str, Watched]
) -> dict[str, WeightsEntry]:
    """Weights, those whose address answers no more with state `lost` and the reason."""
    return {name: _as_seen(one, _gone(one.files, seen)) for name, one in entries.items()}


def datasets_as_seen(
    entries: Mapping[str, DatasetEntry], seen: Mapping[str, Watched]
) -> dict[str, DatasetEntry]:
    """The same for datasets."""
    return {name: _as_seen(one, _gone(one.archives, seen)) for name, one in entries.items()}


def _as_seen(entry: Source, gone: str) -> Source:
    return entry.replace(state="lost", reason=gone) if gone and entry.state == "ok" else entry


def _gone(files: tuple[RemoteFile, ...], seen: Mapping[str, Watched]) -> str:
    watched = ((file, seen.get(file.address)) for file in files)
    reasons = (f"{file.name}: {one.lost}" for file, one in watched if one and one.lost)
    return next(reasons, "")
