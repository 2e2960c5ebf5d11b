"""Pins: checksums of released files at their first download, in `params/weights.lock.yaml`.

Few authors publish a checksum of their weights (trust on first use). The first file that is
downloaded and opens as the network it should be is pinned: its sha256, its size and, where the host
reports it, the revision. From then on only that file is accepted. Fetching writes the file, which
belongs into git beside `params/weights.yaml`; it holds no dates, since git has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, NonNegativeInt

from segmodels.core.entry import Entry, read_entry
from segmodels.core.files import naming, write_text
from segmodels.core.locks import only_one
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", title="a sha256 (64 digits 0-9a-f)")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$", title="a commit (40 digits 0-9a-f)")]

#: Where a file came from: its `address`, the `mirror`, the `folder` it lay in already, or a `user`
#: who added it (`segmodels weights add`).
Origin = Literal["address", "mirror", "folder", "user"]

_HEADER = """\
# Released files as they first came here (trust on first use), for files whose sha256 does not stand
# in weights.yaml. Written by fetching, see docs/weights.md. Commit it; remove a note only when the
# authors replaced a file on purpose.
"""


class Pin(Entry):
    """One released file at its first download.

    Attributes:
        sha256: hex digest of its bytes.
        bytes: its size.
        url: the address it has in `params/weights.yaml`.
        origin: where it came from (`from` in the file).
        revision: commit that the host reported; empty if it reported none.
    """

    model_config = ConfigDict(populate_by_name=True)

    sha256: Sha256
    bytes: NonNegativeInt
    url: str
    origin: Origin = Field(validation_alias="from")
    revision: Commit = ""


#: By name of the file.
Pins = Mapping[str, Pin]


def lock_path(entries: Path) -> Path:
    """The file of pins for a file of entries: beside it."""
    return entries.with_suffix(".lock.yaml")


def read_pins(path: Path) -> dict[str, dict[str, Pin]]:
    """All pins by entry and file name; none if there is no such file yet.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    return pins_in(path, read_yaml(path)) if path.exists() else {}


def pins_in(path: Path, said: Mapping[str, Any]) -> dict[str, dict[str, Pin]]:
    """The same of what the file says."""
    return {entry: _entry(f"{path}, weights {entry!r}", raw) for entry, raw in said.items()}


def note_pins(path: Path, entry: str, found: Pins) -> None:
    """Add pins of an entry to the file; existing ones stay.

    Raises:
        SegmodelsError: another process has noted other bytes meanwhile, or the file cannot be
            written; then nothing of it changed.
    """
    if not found:
        return  # also where nothing could be written
    # In the project, not in the cache that each process may have of its own.
    lock = project_root() / ".cache" / f"{path.stem}.lock"
    try:
        with only_one(lock, "noting weights", wait=True):
            known = read_pins(path)
            merged = _merged(path, entry, found, known.get(entry, {}))
            if merged != known.get(entry, {}):
                write_text(path, _text({**known, entry: merged}))
    except (OSError, SegmodelsError) as error:
        refused = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(refused, OSError):
            raise
        sums = ", ".join(f"{name} {pin.sha256}" for name, pin in sorted(found.items()))
        raise SegmodelsError(
            f"{path}: what came of weights {entry!r} cannot be noted "
            f"({refused.strerror or refused}). The files are kept. Make the folder writable and "
            f"fetch again, or add their sha256 to params/weights.yaml: {sums}"
        ) from error


def remove_pins(path: Path, entry: str) -> None:
    """Remove all pins of an entry from the file.

    Raises:
        SegmodelsError: the file cannot be read or written.
    """
    lock = project_root() / ".cache" / f"{path.stem}.lock"
    with only_one(lock, "noting weights", wait=True), naming(path):
        others = {name: pins for name, pins in read_pins(path).items() if name != entry}
        write_text(path, _text(others))


def _merged(path: Path, entry: str, found: Pins, known: Pins) -> dict[str, Pin]:
    for name in found.keys() & known.keys():
        if (new := found[name].sha256) != (old := known[name].sha256):
            raise SegmodelsError(
                f"{path}: file {name!r} of weights {entry!r} came twice at once, with sha256 {old} "
                f"and {new}. Remove the file and fetch it again."
            )
    return {**found, **{name: _completed(pin, found.get(name)) for name, pin in known.items()}}


def _completed(known: Pin, found: Pin | None) -> Pin:
    """The known pin, with the revision of a later fetch if it had none."""
    return known if known.revision or not found else known.replace(revision=found.revision)


def _entry(where: str, raw: Any) -> dict[str, Pin]:
    if not isinstance(raw, dict):
        raise SegmodelsError(f"{where}: expected files by name.")
    return {str(name): read_entry(Pin, f"{where}, file {name!r}", one) for name, one in raw.items()}


def _text(pins: Mapping[str, Pins]) -> str:
    body = {
        entry: {name: _plain(pins[entry][name]) for name in sorted(pins[entry])}
        for entry in sorted(pins)
    }
    return _HEADER + yaml.safe_dump(body, sort_keys=False)


def _plain(pin: Pin) -> dict[str, Any]:
    """The fields of the file, without empty ones."""
    fields = {"from" if name == "origin" else name: value for name, value in vars(pin).items()}
    return {name: value for name, value in fields.items() if value != ""}
