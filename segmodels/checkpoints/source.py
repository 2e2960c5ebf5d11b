"""A checkpoint on disk: one file or one folder, read without ever executing anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from segmodels.checkpoints.diagnosis import kind_of
from segmodels.checkpoints.readers import read_any
from segmodels.checkpoints.states import chosen, unwrapped
from segmodels.core.exits import refusal
from segmodels.core.stand_ins import stand_in
from segmodels.errors import SegmodelsError, shown

LayerNormEps = Literal["hugging_face", "original"]


@dataclass
class Source:
    """What the user pointed at, and how it is to be read."""

    path: Path
    layer_norm_eps: LayerNormEps = "hugging_face"

    def check_path(self, nothing: str) -> None:
        """Refuse what is neither a file nor a folder: a pipe would be waited for.

        Raises:
            SegmodelsError: there is nothing, or something else.
        """
        if not self.path.exists():
            raise SegmodelsError(f"{nothing} {self.path}.")
        if not (self.path.is_file() or self.path.is_dir()):
            raise SegmodelsError(f"{self.path} is neither a file nor a folder.")

    @property
    def folder(self) -> Path:
        """The folder given, or the one that holds the file given."""
        return self.path if self.path.is_dir() else self.path.parent

    def has(self, *names: str) -> bool:
        """Whether all the named files lie in the folder, and the user did not mean another."""
        meant = self.path.is_dir() or self.path.name in names
        return meant and all((self.folder / name).is_file() for name in names)

    @cached_property
    def content(self) -> Any:
        """What the file given holds; None for a folder or a file of another kind."""
        known = self.path.is_file() and kind_of(self.path)
        return read_any(self.path) if known else None

    @property
    def keys(self) -> frozenset[str]:
        """Top-level string keys of the file given."""
        return _strings(self.content)

    @property
    def state(self) -> Any:
        """The state dict in the file given, as it is there (``states.chosen``)."""
        return chosen(self.path, self.content)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the tensors in the state dict, without the prefixes of wrappers."""
        names = _strings(self.state)
        return frozenset(unwrapped(self.path, names).values())


def _strings(values: Any) -> frozenset[str]:
    names = values if isinstance(values, Mapping) else ()
    return frozenset(name for name in names if isinstance(name, str))


@contextmanager
def told() -> Iterator[None]:
    """Tell what the operating system refuses while a checkpoint is read as one sentence.

    Raises:
        SegmodelsError: it refused something; the message names the file.
    """
    try:
        yield
    except OSError as error:
        raise SegmodelsError(refusal(error)) from error


class _TupleLoader(yaml.SafeLoader):
    """YAML that can only become plain values; tuples are the one extension."""


def _tuple(loader: _TupleLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_TupleLoader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SegmodelsError: not JSON, not an object, or one that says a field twice.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        found = stand_in(path, "the settings") or f"is not valid JSON ({error})."
        raise SegmodelsError(f"{path} {found}") from error
    return _mapping(path, values)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping of plain values and tuples.

    Raises:
        SegmodelsError: not YAML, not a mapping, or it asks for any other Python object.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_TupleLoader)
    except (yaml.YAMLError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
        found = stand_in(path, "the settings") or f"is not plain YAML ({reason})."
        raise SegmodelsError(f"{path} {found}") from error
    return _mapping(path, values)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; Python would take the last of two values and say nothing."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the field {shown(name)} stands there twice")
        values[name] = value
    return values


def _mapping(path: Path, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise SegmodelsError(f"{path} must hold a mapping, got {type(values).__name__}.")
    return values
