"""`params/protocols.yaml`: protocols by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields, take_list
from segmodels.errors import SegmodelsError, pick
from segmodels.protocols.protocol import _CHOICES, _LISTS, _NUMBERS, _SIDES, Protocol

_REQUIRED = {"version": int, "title": str}


_OPTIONAL = {
    "source": str,
    **dict.fromkeys((*_SIDES, *_NUMBERS), int),
    **dict.fromkeys(("enlarge", "flip", "upsample_once"), bool),
    **dict.fromkeys(_LISTS, list),
    **dict.fromkeys(_CHOICES, str),
}


def load_protocols(path: Path | None = None) -> dict[str, Protocol]:
    """All protocols of `params/protocols.yaml`, by name.

    Raises:
        SegmodelsError: an entry has a missing, unknown or impossible field.
    """
    path = path or project_root() / "params" / "protocols.yaml"
    return {name: _parse(path, name, entry) for name, entry in read_yaml(path).items()}


def _parse(path: Path, name: str, entry: object) -> Protocol:
    source = f"{path}, protocol {name!r}"
    # (height, width) comes as a list; whether it holds two numbers is asked below.
    both = [f for f in _SIDES if isinstance(entry, Mapping) and isinstance(entry.get(f), list)]
    optional = {**_OPTIONAL, **dict.fromkeys(both, list)}
    fields = take_fields(source, entry, _REQUIRED, optional)
    if "scales" in fields:
        scales = take_list(source, "scales", fields["scales"], float)
        fields["scales"] = tuple(float(scale) for scale in scales)
    for field in ("ignore_classes", "datasets"):
        take_list(source, field, fields.get(field, []), str)
    for field in both:
        take_list(source, field, fields[field], int)
    try:
        return Protocol(name=name, **fields)
    except SegmodelsError as error:
        raise SegmodelsError(f"{path}, {error}") from None


def load_protocol(name: str, path: Path | None = None) -> Protocol:
    """One protocol by name.

    Raises:
        UnknownNameError: no such protocol; the message suggests the nearest.
    """
    return pick("protocol", name, load_protocols(path))
