"""`params/protocols.yaml`: protocols by name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from segmodels.core.arguments import an, path_to, words
from segmodels.core.entry import read_entry
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import Content
from segmodels.errors import pick
from segmodels.protocols.protocol import Protocol


def load_protocols(path: Path | None = None) -> dict[str, Protocol]:
    """All protocols of `params/protocols.yaml`, by name.

    Raises:
        SegmodelsError: an entry has a missing, unknown or impossible field.
    """
    file = project_root() / "params" / "protocols.yaml"
    path = file if path is None else path_to("path", path)
    return dict(_protocols(path, Content(path)))


@lru_cache(maxsize=8)
def _protocols(path: Path, said: Content) -> dict[str, Protocol]:
    """Entries are frozen, so those of an unchanged file are shared."""
    return {
        name: read_entry(Protocol, f"{path}, protocol {name!r}", entry, name=name)
        for name, entry in said.items()
    }


def load_protocol(name: str, path: Path | None = None) -> Protocol:
    """One protocol by name.

    Raises:
        UnknownNameError: no such protocol; the message suggests the nearest.
    """
    return pick("protocol", words("name", name), load_protocols(path))


def protocol_of(protocol: Protocol | str) -> Protocol:
    """A protocol, or that of a name, as functions for Python take either.

    Raises:
        UnknownNameError: no such protocol; the message suggests the nearest.
        SegmodelsError: it is neither.
    """
    if isinstance(protocol, str):
        return load_protocol(protocol)
    return an(Protocol, "protocol", protocol, "load_protocol")
