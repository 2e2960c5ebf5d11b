"""Where bytes come from: released weights and dataset archives, as `params/` lists them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from segmodels.assets.addresses import at_revision, is_commit, names_branch
from segmodels.assets.groups import Grouping, check_grouping
from segmodels.assets.pins import Pin, Pins, lock_path, read_pins
from segmodels.core.files import digest
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields
from segmodels.errors import SegmodelsError, pick

#: Whether anyone can use it: `gated` wants a login, `lost` had an address that died,
#: `unpublished` never had one, `unsupported` waits for a reader of ours. Everything but `ok`
#: carries a reason that users are shown.
State = Literal["ok", "gated", "lost", "unpublished", "unsupported"]

#: Who says what the bytes of a file are: its authors, or we, who had it.
Voucher = Literal["authors", "us"]

#: What fixes the bytes of weights: a sha256 of their `authors`, one that was noted here at `first
#: sight`, or nothing (`no`).
Pinned = Literal["authors", "first sight", "no"]

#: The file that alone identifies weights in our own format; the other one describes it.
OWN = "model.safetensors"


@dataclass(frozen=True)
class RemoteFile:
    """One file to fetch.

    Attributes:
        name: file name, also looked for in the local mirror.
        url: public address.
        sha256: accepted hex digests. Empty when the address serves an archive that is packed
            on request (its bytes are not promised): then the content is verified after decoding.
        sha1: hex digest, where the source publishes only that. It tells a damaged or another
            file, not one made to deceive.
        bytes: approximate size for messages, if known.
        sha256_from: who says so: the file's `authors` publish the digests, or they were noted by
            `us` from a file that was here.
        revision: commit to take where `url` names a branch.
        pin: what the file was when it first came here (`segmodels.assets.pins`), if that was noted.
    """

    name: str
    url: str
    sha256: tuple[str, ...] = ()
    sha1: str = ""
    bytes: int | None = None
    sha256_from: Voucher = "us"
    revision: str = ""
    pin: Pin | None = None

    @property
    def accepted(self) -> tuple[str, ...]:
        """The sha256 it may have: the registered ones, else the one that was noted."""
        return self.sha256 or ((self.pin.sha256,) if self.pin else ())

    @property
    def address(self) -> str:
        """Where to fetch it: at its revision if one is known."""
        revision = self.revision or (self.pin.revision if self.pin else "")
        return at_revision(self.url, revision) if revision else self.url


@dataclass(frozen=True)
class WeightsEntry:
    """One released checkpoint of `params/weights.yaml`.

    Attributes:
        name: key.
        model: name for `create_model`.
        state: whether anyone can fetch it.
        source: where it is given out.
        licence: of the file.
        reason: why it cannot be had, unless the state is `ok`.
        files: what to fetch.
        unseen: no checksum is published, and none was known when the entry was written. The
            first fetch notes it in `params/weights.lock.yaml`.
    """

    name: str
    model: str
    state: State
    source: str
    licence: str = ""
    reason: str = ""
    files: tuple[RemoteFile, ...] = ()
    unseen: bool = False

    @property
    def pinned(self) -> Pinned:
        """What fixes the bytes of these weights."""
        if not self.files or not all(file.accepted for file in self.files):
            return "no"
        theirs = all(file.sha256 and file.sha256_from == "authors" for file in self.files)
        return "authors" if theirs else "first sight"

    @property
    def unknown(self) -> bool:
        """Whether no sha256 of any file is registered or noted."""
        return not any(file.accepted for file in self.files)

    @property
    def identities(self) -> tuple[str, ...]:
        """Every identity that evidence of these weights may carry; none if a sum is missing."""
        names = [file.name for file in self.files]
        if not names:
            return ()
        sums = itertools.product(*(file.accepted for file in self.files))
        found = (weights_identity(dict(zip(names, one, strict=True))) for one in sums)
        return tuple(dict.fromkeys(found))


def weights_identity(sums: Mapping[str, str]) -> str:
    """What identifies weights: the sha256 of their one file or, of several, the digest of all.

    Our own format is known by `model.safetensors` alone.

    Args:
        sums: sha256 by file name.
    """
    if len(sums) == 1:
        (only,) = sums.values()
        return only
    return sums.get(OWN) or digest(dict(sums))


@dataclass(frozen=True)
class DatasetEntry:
    """One dataset of `params/datasets.yaml`.

    Attributes:
        splits: expected content per split: `images` (number) and `fingerprint` (hex SHA-256
            over decoded images and labels), the identity of the dataset; `also` explains other
            numbers of images that are in circulation.
        note: what readers should know before they fetch it.
        settings: what the reader itself understands (the synthetic set's seed and sizes).
        groups: which images hang together; None where they are independent.
    """

    name: str
    title: str
    state: State
    source: str
    licence: str = ""
    registration: str = ""
    reason: str = ""
    note: str = ""
    archives: tuple[RemoteFile, ...] = ()
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    groups: Grouping | None = None


def load_weights_entries(path: Path | None = None) -> dict[str, WeightsEntry]:
    """All entries of `params/weights.yaml`, with what was noted of them beside it.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "weights.yaml"
    required = {"model": str, "state": str, "source": str}
    optional = {"licence": str, "reason": str, "files": list, "unseen": bool}
    entries, pins = {}, read_pins(lock_path(path))
    for name, raw in read_yaml(path).items():
        where = f"{path}, weights {name!r}"
        fields = take_fields(where, raw, required, optional)
        fields["files"] = _files(where, fields.get("files", []))
        _check_state(where, fields, bool(fields["files"]))
        _check_seen(where, fields)
        fields["files"] = _pinned(lock_path(path), name, fields["files"], pins.pop(name, {}))
        entries[name] = WeightsEntry(name=name, **fields)
    for name in pins:
        raise SegmodelsError(
            f"{lock_path(path)}: weights {name!r} do not stand in {path.name}. Give the entry that "
            f"name again, or rename or remove its note."
        )
    return entries


def _pinned(
    path: Path, entry: str, files: tuple[RemoteFile, ...], pins: Pins
) -> tuple[RemoteFile, ...]:
    for name in pins.keys() - {file.name for file in files}:
        raise SegmodelsError(
            f"{path}: weights {entry!r} have no file {name!r} any more; remove its note."
        )
    for file in files:
        if (pin := pins.get(file.name)) and pin.url != file.url:
            raise SegmodelsError(
                f"{path}: weights {entry!r}: file {file.name!r} was noted from {pin.url}, but its "
                f"'url' is {file.url} now; remove its note, so that the new one is noted."
            )
    return tuple(dataclasses.replace(file, pin=pins.get(file.name)) for file in files)


_SPLIT = {"images": int, "fingerprint": str, "also": dict}


def load_dataset_entries(path: Path | None = None) -> dict[str, DatasetEntry]:
    """All entries of `params/datasets.yaml`.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = path or project_root() / "params" / "datasets.yaml"
    required = {"title": str, "state": str, "source": str}
    optional = {
        "licence": str,
        "registration": str,
        "reason": str,
        "note": str,
        "archives": list,
        "splits": dict,
        "settings": dict,
        "groups": dict,
    }
    entries = {}
    for name, raw in read_yaml(path).items():
        where = f"{path}, dataset {name!r}"
        fields = take_fields(where, raw, required, optional)
        fields["archives"] = _files(where, fields.get("archives", []))
        for split, expected in fields.get("splits", {}).items():
            take_fields(f"{where}, split {split!r}", expected, {}, _SPLIT)
        fields["groups"] = _groups(f"{where}, groups", fields.get("groups"))
        _check_state(where, fields, True)
        entries[name] = DatasetEntry(name=name, **fields)
    return entries


def _groups(where: str, raw: object) -> Grouping | None:
    if raw is None:
        return None
    fields = take_fields(where, raw, {"kind": str, "pattern": str, "block": int}, {})
    grouping = Grouping(**fields)
    check_grouping(where, grouping)
    return grouping


_FILE = {"sha256": list, "sha1": str, "bytes": int, "sha256_from": str, "revision": str}


def _files(where: str, raw: list[object]) -> tuple[RemoteFile, ...]:
    files = []
    for entry in raw:
        fields = take_fields(f"{where}, file", entry, {"name": str, "url": str}, _FILE)
        one = f"{where}, file {fields['name']!r}"
        fields["sha256"] = tuple(fields.get("sha256", ()))
        if bad := [d for d in fields["sha256"] if not _is_digest(d, 64)]:
            raise SegmodelsError(f"{one}: {bad[0]!r} is not a sha256 (64 digits 0-9a-f).")
        if "sha1" in fields and not _is_digest(fields["sha1"], 40):
            raise SegmodelsError(f"{one}: {fields['sha1']!r} is not a sha1 (40 digits 0-9a-f).")
        _check_origin(one, fields)
        if not _is_plain(fields["name"]):
            raise SegmodelsError(f"{one}: field 'name' is a file name without folders.")
        if not fields["url"].startswith(("https://", "http://")):
            raise SegmodelsError(f"{one}: field 'url' must begin with https:// or http://.")
        files.append(RemoteFile(**fields))
    return tuple(files)


def _check_origin(where: str, fields: dict[str, Any]) -> None:
    """Who vouches for the digests, and which commit is meant."""
    if fields.get("sha256_from", "us") not in get_args(Voucher):
        known = " or ".join(get_args(Voucher))
        raise SegmodelsError(f"{where}: field 'sha256_from' is {known}.")
    if "sha256_from" in fields and not fields["sha256"]:
        raise SegmodelsError(f"{where}: 'sha256_from' says who gives the sha256; there is none.")
    if revision := fields.get("revision"):
        if not is_commit(revision):
            raise SegmodelsError(f"{where}: {revision!r} is not a commit (40 digits 0-9a-f).")
        if not names_branch(fields["url"]):
            raise SegmodelsError(f"{where}: 'revision' is for a 'url' that names a branch.")


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set('/\\*?[]"')


def _is_digest(text: object, digits: int) -> bool:
    return isinstance(text, str) and len(text) == digits and set(text) <= set("0123456789abcdef")


def _check_state(where: str, fields: dict[str, Any], obtainable: bool) -> None:
    state = fields["state"]
    if state not in get_args(State):
        raise SegmodelsError(
            f"{where}: field 'state' is one of {', '.join(get_args(State))}, not {state!r}."
        )
    if state != "ok" and not fields.get("reason"):
        raise SegmodelsError(f"{where}: state {state!r} needs a 'reason' that readers are shown.")
    if state == "ok" and not obtainable:
        raise SegmodelsError(f"{where}: state 'ok' needs 'files' to fetch.")


def _check_seen(where: str, fields: dict[str, Any]) -> None:
    """A file whose checksum nobody knows is an exception that has to be said."""
    unknown = [file.name for file in fields["files"] if not file.sha256]
    if unknown and not fields.get("unseen"):
        raise SegmodelsError(f"{where}: file {unknown[0]!r} needs its sha256, or 'unseen: true'.")
    if fields.get("unseen") and not unknown:
        raise SegmodelsError(f"{where}: 'unseen' is for files whose sha256 is not known.")


def load_weights_entry(name: str) -> WeightsEntry:
    """One released checkpoint by name (UnknownNameError suggests the nearest)."""
    return pick("weights", name, load_weights_entries())


def load_dataset_entry(name: str) -> DatasetEntry:
    """One dataset by name (UnknownNameError suggests the nearest)."""
    return pick("dataset", name, load_dataset_entries())
