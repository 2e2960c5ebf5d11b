"""Released weights and dataset archives, as `params/` lists them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.assets.groups import Grouping
from segmodels.assets.own_dataset import OwnDataset, check_name, is_description, load_own_datasets
from segmodels.assets.pins import Pins, Sha256, lock_path, pins_in
from segmodels.assets.remote_file import RemoteFile
from segmodels.core.arguments import path_to, words
from segmodels.core.entry import Entry, Overrides, Several, Words, read_entry
from segmodels.core.files import digest
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import Content
from segmodels.errors import SegmodelsError, pick

#: Whether anyone can use it: `gated` wants a login, `lost` had an address that died,
#: `unpublished` never had one, `unsupported` waits for a reader of ours. Everything but `ok`
#: carries a reason, which messages and pages show.
State = Literal["ok", "gated", "lost", "unpublished", "unsupported"]

#: What weights are of: a network, or an encoder alone.
Part = Literal["whole", "encoder"]

#: What fixes the bytes of weights: a sha256 of their `authors`, one that was noted here at `first
#: sight`, one of a file that `its user` added, or nothing (`no`).
Pinned = Literal["authors", "first sight", "its user", "no"]

#: The file that alone identifies weights in our own format; the other one describes it.
OWN = "model.safetensors"


class _Source(Entry):
    """Something to obtain: its state, source and licence."""

    name: SkipJsonSchema[str]
    state: State
    source: Words
    licence: str = ""
    reason: str = ""

    def problems(self) -> Iterator[str]:
        """A state other than `ok` without a reason."""
        if self.state != "ok" and not self.reason:
            yield f"state {self.state!r} needs a 'reason' that readers are shown"


class WeightsEntry(_Source):
    """One released checkpoint of `params/weights.yaml`.

    Attributes:
        name: key.
        model: name for `create_model`.
        part: `encoder`: ImageNet weights without a network of their own here, for the encoder of
            `model`; a recipe names them in `initial`, a run cannot.
        overrides: arguments of the model by which the encoder is of another size.
        state: whether anyone can fetch it.
        source: where it is given out.
        licence: of the file.
        reason: why it cannot be had, unless the state is `ok`.
        files: what to fetch.
        unseen: no checksum is published, and none was known when the entry was written. The
            first fetch notes it in `params/weights.lock.yaml`, as it does where only the first
            digits are published (`sha256_prefix`).
    """

    model: str
    part: Part = "whole"
    overrides: Overrides = Field(default_factory=dict)
    files: Several[RemoteFile] = ()
    unseen: bool = False

    def problems(self) -> Iterator[str]:
        """Besides: no files to fetch, or a file without checksum that is not marked `unseen`."""
        yield from super().problems()
        if self.overrides and self.part == "whole":
            yield "'overrides' is for weights of an encoder alone; a checkpoint tells its sizes"
        if self.state == "ok" and not self.files:
            yield "state 'ok' needs 'files' to fetch"
        unknown = [file.name for file in self.files if not (file.sha256 or file.sha256_prefix)]
        if unknown and not self.unseen:
            yield f"file {unknown[0]!r} needs its sha256, or 'unseen: true'"
        if self.unseen and not unknown:
            yield "'unseen' is for files whose sha256 is not known"

    @property
    def pinned(self) -> Pinned:
        """What fixes the bytes of these weights."""
        if not self.files or not all(file.accepted for file in self.files):
            return "no"
        if any(not file.sha256 and file.pin and file.pin.origin == "user" for file in self.files):
            return "its user"
        theirs = all(file.sha256 and file.sha256_from == "authors" for file in self.files)
        return "authors" if theirs else "first sight"

    @property
    def unknown(self) -> bool:
        """Whether no sha256 of any file is registered or noted."""
        return not any(file.accepted for file in self.files)

    def may_be(self, identity: str) -> bool:
        """Whether an identity fits the first digits of a sha256, where nothing more is known."""
        digits = self.files[0].sha256_prefix if len(self.files) == 1 else ""
        return self.unknown and bool(digits) and identity.startswith(digits)

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


class Split(Entry):
    """What a split of a dataset is expected to hold.

    Attributes:
        images: how many.
        fingerprint: hex SHA-256 over decoded images and labels, the identity of the split; None
            while it is not recorded.
        also: other numbers of images that are in circulation, each with what explains it.
    """

    images: NonNegativeInt | None = None
    fingerprint: Sha256 | None = None
    also: dict[int, Words] = Field(default_factory=dict)


class DatasetEntry(_Source):
    """One dataset of `params/datasets.yaml`.

    Attributes:
        name: key.
        title: one line for people.
        state: whether anyone can fetch it.
        source: where it is given out.
        licence: of images and labels.
        registration: where to register for it.
        reason: why it cannot be had, unless the state is `ok`.
        archives: what to fetch.
        splits: expected content per split.
        note: remarks for those who fetch it.
        settings: what the reader itself understands (the synthetic set's seed and sizes).
        groups: which images hang together; None where they are independent.
        own: the description of a user's own dataset (`params/datasets/<name>.yaml`).
    """

    title: Words
    registration: str = ""
    note: str = ""
    archives: Several[RemoteFile] = ()
    splits: dict[str, Split] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    groups: Grouping | None = None
    own: SkipJsonSchema[OwnDataset | None] = None

    @property
    def file(self) -> str:
        """The file it stands in, as people name it."""
        return f"params/datasets/{self.name}.yaml" if self.own else "params/datasets.yaml"

    def fingerprint(self, split: str) -> str | None:
        """The registered fingerprint of a split; None where there is none."""
        return self.splits[split].fingerprint if split in self.splits else None


def load_weights_entries(path: Path | None = None) -> dict[str, WeightsEntry]:
    """All entries of `params/weights.yaml`, with the pins of `params/weights.lock.yaml`.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    file = project_root() / "params" / "weights.yaml"
    path = file if path is None else path_to("path", path)
    pins = lock_path(path)
    return dict(_weights(path, Content(path), Content(pins) if pins.exists() else None))


@lru_cache(maxsize=8)
def _weights(path: Path, said: Content, noted: Content | None) -> dict[str, WeightsEntry]:
    """Entries are frozen, so those of unchanged files are shared."""
    entries, pins = {}, pins_in(lock_path(path), noted or {})
    for name, raw in said.items():
        entry = read_entry(WeightsEntry, f"{path}, weights {name!r}", raw, name=name)
        entries[name] = _pinned(lock_path(path), entry, pins.pop(name, {}))
    for name in pins:
        raise SegmodelsError(
            f"{lock_path(path)}: weights {name!r} do not stand in {path.name}. Give the entry that "
            f"name again, or rename or remove its note."
        )
    return entries


def _pinned(path: Path, entry: WeightsEntry, pins: Pins) -> WeightsEntry:
    if not entry.files and pins and all(pin.origin == "user" for pin in pins.values()):
        files = tuple(RemoteFile(name=name, url=pins[name].url, pin=pins[name]) for name in pins)
        return entry.replace(files=files, unseen=True)
    for name in pins.keys() - {file.name for file in entry.files}:
        raise SegmodelsError(
            f"{path}: weights {entry.name!r} have no file {name!r} any more; remove its note."
        )
    for file in entry.files:
        if (pin := pins.get(file.name)) and pin.url != file.url:
            raise SegmodelsError(
                f"{path}: weights {entry.name!r}: file {file.name!r} was noted from {pin.url}, but "
                f"its 'url' is {file.url} now; remove its note, so that the new one is noted."
            )
    if not pins:
        return entry
    return entry.replace(files=tuple(f.replace(pin=pins.get(f.name)) for f in entry.files))


def load_dataset_entries(path: Path | None = None) -> dict[str, DatasetEntry]:
    """All entries of `params/datasets.yaml`, and the user's own datasets of `params/datasets`.

    Args:
        path: another file; then without the user's own.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    file = project_root() / "params" / "datasets.yaml" if path is None else path_to("path", path)
    entries = dict(_datasets(file, Content(file)))
    for own in load_own_datasets().values() if path is None else ():
        check_name(own, entries)
        entries[own.name] = entry_of(own)
    return entries


@lru_cache(maxsize=8)
def _datasets(file: Path, said: Content) -> dict[str, DatasetEntry]:
    return {
        name: read_entry(DatasetEntry, f"{file}, dataset {name!r}", raw, name=name, own=None)
        for name, raw in said.items()
    }


def entry_of(own: OwnDataset) -> DatasetEntry:
    """A user's own dataset as an entry among the others."""
    splits = {name: Split(fingerprint=own.fingerprints.get(name)) for name in own.splits}
    return DatasetEntry(
        name=own.name,
        state="ok",
        source="a user's own files",
        licence=own.licence,
        title=own.title or own.name,
        splits=splits,
        groups=own.groups,
        own=own,
    )


def load_weights_entry(name: str) -> WeightsEntry:
    """One released checkpoint by name (UnknownNameError suggests the nearest)."""
    return pick("weights", words("name", name), load_weights_entries())


def load_dataset_entry(name: str) -> DatasetEntry:
    """One dataset by name (UnknownNameError suggests the nearest)."""
    if is_description(words("name", name)):
        raise SegmodelsError(
            f"dataset {name!r} is a file, and a name is wanted here: segmodels data add {name}, "
            f"and then {Path(name).stem!r}."
        )
    return pick("dataset", words("name", name), load_dataset_entries())
