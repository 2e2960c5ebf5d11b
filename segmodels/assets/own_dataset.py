"""A user's own dataset, described in a file: where images and labels lie, and what labels mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from segmodels.assets.groups import Grouping
from segmodels.assets.pins import Sha256
from segmodels.core.entry import Entry, Several, Words, read_entry
from segmodels.core.files import write_text
from segmodels.core.listing import yaml_files
from segmodels.core.names import LETTERS, is_name
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError

Colour = tuple[int, int, int]

#: The number of void after reading, and the only one that means it unless a file says otherwise.
_VOID = 255

#: Names of datasets become names of folders; these have another meaning in `data/`.
_TAKEN = ("downloads", "registered")


def _is_byte(value: object) -> bool:
    return type(value) is int and 0 <= value <= 255


def _is_colour(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and all(map(_is_byte, value))


def _several(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _classes(value: object) -> object:
    """Numbers by name: of a list of names 0, 1, 2, …"""
    if isinstance(value, list):
        if not all(isinstance(name, str) and name for name in value):
            raise ValueError("expected names of classes, each in quotes if YAML reads it otherwise")
        if len(set(value)) < len(value):
            raise ValueError("expected every name once")
        return {name: (number,) for number, name in enumerate(value)}
    if not isinstance(value, Mapping):
        raise ValueError("expected a list of names, or the number in label files by name")
    found = {name: tuple(_several(numbers)) for name, numbers in value.items()}
    for name, numbers in found.items():
        if not isinstance(name, str) or not numbers or not all(map(_is_byte, numbers)):
            raise ValueError(f"expected a whole number from 0 to 255, or a list, for {name!r}")
    return found


def _palette(value: object) -> object:
    """Colours by name."""
    if not isinstance(value, Mapping):
        raise ValueError("expected the colour in label files by name of the class")
    found = {}
    for name, given in value.items():
        colours = [given] if _is_colour(given) else _several(given)
        if not isinstance(name, str) or not colours or not all(map(_is_colour, colours)):
            raise ValueError(f"expected [red, green, blue] from 0 to 255 for {name!r}")
        found[name] = tuple(tuple(colour) for colour in colours)
    return found


def _void(value: object) -> object:
    given = [value] if _is_colour(value) and not isinstance(value, list) else _several(value)
    if not all(_is_byte(one) or _is_colour(one) for one in given):
        raise ValueError("expected a list of numbers, or of colours as [[0, 0, 0]]")
    return tuple(tuple(one) if isinstance(one, list | tuple) else one for one in given)


def _splits(value: object) -> object:
    if not isinstance(value, Mapping) or not value:
        raise ValueError("expected patterns or a list file by name of the split")
    found = {name: tuple(_several(given)) for name, given in value.items()}
    for name, given in found.items():
        if not isinstance(name, str) or not is_name(name):
            raise ValueError(f"expected letters, digits and '-' as the name of a split, not {name}")
        if not given or not all(isinstance(one, str) and one for one in given):
            raise ValueError(f"expected a pattern of names or a list file for {name!r}")
    return found


Names = dict[str, int | list[int]]
ByName = Annotated[
    dict[str, tuple[int, ...]], BeforeValidator(_classes, json_schema_input_type=list[str] | Names)
]
Palette = Annotated[
    dict[str, tuple[Colour, ...]],
    BeforeValidator(_palette, json_schema_input_type=dict[str, list[int] | list[list[int]]]),
]
Void = Annotated[
    tuple[int | Colour, ...],
    BeforeValidator(_void, json_schema_input_type=list[int] | list[list[int]]),
]
Splits = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(_splits, json_schema_input_type=dict[str, str | list[str]]),
]


class OwnDataset(Entry):
    """Images and labels of one's own: `params/datasets/<name>.yaml`, or such a file anywhere.

    Attributes:
        name: of the file.
        file: where it stands.
        title: one line for people.
        folder: of images and labels; relative to the file.
        image: where an image lies below it, as `images/{name}.jpg`; several where files differ in
            their endings. A name may hold folders: `train/a`.
        label: where its labels lie, as `labels/{name}.png`.
        classes: their names, where label files hold 0, 1, 2, …; or the number by name, or several.
        palette: instead of numbers the colour by name of the class, or several.
        void: numbers or colours of pixels that belong to no class; 255 unless a class has it.
        splits: by name a pattern of image names as `train/*`, or a list file as `train.txt`, with
            an image a line; several are joined.
        shared: whether images that `train` shares with another split are let pass.
        licence: of images and labels.
        groups: which images hang together; none where they are independent.
        fingerprints: of splits, as `segmodels data check` prints them, where only the very same
            pixels will do.
    """

    name: SkipJsonSchema[str]
    file: SkipJsonSchema[Path]
    title: str = ""
    folder: Words = "."
    image: Annotated[Several[Words], BeforeValidator(_several)]
    label: Words
    classes: ByName = Field(default_factory=dict)
    palette: Palette = Field(default_factory=dict)
    void: Void | None = None
    splits: Splits
    shared: bool = False
    licence: str = ""
    groups: Grouping | None = None
    fingerprints: dict[str, Sha256] = Field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if not is_name(self.name) or self.name in _TAKEN:
            yield f"{self.name!r} is no name for a dataset: {LETTERS}"
        for field, templates in (("image", self.image), ("label", (self.label,))):
            for one in templates:
                if one.count("{name}") != 1 or "{" in one.replace("{name}", ""):
                    yield f"field {field!r}: {one!r} holds {{name}} once, for the name of an image"
                if one.startswith("/") or ".." in one.split("/"):
                    yield f"field {field!r}: {one!r} is relative to 'folder'"
        if self.label in self.image:
            yield f"field 'label': {self.label!r} is where images lie"
        if bool(self.classes) == bool(self.palette):
            yield "give either 'classes' (numbers in label files) or 'palette' (colours in them)"
        if len(self.class_names) > _VOID:
            yield f"{len(self.class_names)} classes are too many: {_VOID} at most"
        yield from self._wrong_codes()
        for name in self.fingerprints.keys() - self.splits.keys():
            yield f"field 'fingerprints': there is no split {name!r}"

    def _wrong_codes(self) -> Iterator[str]:
        kind = "numbers" if self.classes else "colours"
        for one in self.void or ():
            if isinstance(one, int) != bool(self.classes):
                yield f"field 'void' holds {kind} here, not {one!r}"
        seen: dict[int | Colour, str] = {}
        every = chain(self.codes.items(), [("void", self.void_codes)])
        for name, codes in every:
            for code in codes:
                if (other := seen.setdefault(code, name)) != name:
                    shown = list(code) if isinstance(code, tuple) else code
                    yield f"{shown} is both {other!r} and {name!r}"

    @property
    def codes(self) -> Mapping[str, tuple[int | Colour, ...]]:
        """The numbers or colours of label files by name of the class, in order."""
        return dict(self.classes) if self.classes else dict(self.palette)

    @property
    def void_codes(self) -> tuple[int | Colour, ...]:
        """Numbers or colours of pixels that belong to no class."""
        if self.void is not None:
            return self.void
        used = any(_VOID in numbers for numbers in self.classes.values())
        return (_VOID,) if self.classes and not used else ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of class 0, 1, 2, …"""
        return tuple(self.codes)

    @property
    def place(self) -> Path:
        """The folder of images and labels."""
        return (self.file.parent / Path(self.folder).expanduser()).resolve()


def load_own_dataset(path: Path) -> OwnDataset:
    """Read the description of a dataset.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible.
    """
    given = {"name": path.stem, "file": path.absolute()}
    return read_entry(OwnDataset, str(path), read_yaml(path), **given)


def own_folder() -> Path:
    """Where a project keeps descriptions of its own datasets."""
    return project_root() / "params" / "datasets"


def load_own_datasets() -> dict[str, OwnDataset]:
    """The descriptions in `params/datasets`, by name."""
    files = yaml_files(own_folder(), "own datasets")
    return {path.stem: load_own_dataset(path) for path in files}


def is_description(name: str) -> bool:
    """Whether a dataset is named by the file that describes it."""
    return name.endswith((".yaml", ".yml"))


def add_own_dataset(path: Path, known: Collection[str]) -> Path:
    """Copy a description into the project; the folder that it names becomes absolute.

    Args:
        path: of the file.
        known: names of datasets that are not the user's.

    Returns:
        the copy, `params/datasets/<name>.yaml`.

    Raises:
        SegmodelsError: it describes no dataset, or its name is taken.
    """
    about = load_own_dataset(path)
    check_name(about, known)
    copy = own_folder() / f"{about.name}.yaml"
    if copy.exists() and copy.samefile(path):
        return copy
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not re.match(r"folder\s*:", line)]
    quoted = str(about.place).replace("'", "''")
    write_text(copy, "\n".join([f"folder: '{quoted}'", *kept]) + "\n")
    return copy


def check_name(about: OwnDataset, known: Collection[str]) -> None:
    """Refuse the name of a dataset that papers know: evidence of one would pass for the other.

    Raises:
        SegmodelsError: it is taken.
    """
    if about.name in known:
        raise SegmodelsError(
            f"{about.file}: {about.name!r} is a dataset of params/datasets.yaml; give the file "
            f"another name."
        )
