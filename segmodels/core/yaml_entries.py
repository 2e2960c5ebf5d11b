"""Entries of YAML files: read without running anything, and checked field by field."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from segmodels.errors import SegmodelsError


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses a name given twice, where YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                if key.value in seen:
                    problem = f"{key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


@lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    """Plain values of a YAML text; kept, because judging asks for the same few files often."""
    return yaml.load(text, _Loader)  # a safe loader: plain values only


def read_yaml(path: Path) -> dict[str, Any]:
    """Parse a YAML file that holds a mapping; nothing in it is ever executed.

    Raises:
        SegmodelsError: the file is missing, is not YAML, gives a name twice or is not a
            mapping of names.
    """
    try:
        value = copy.deepcopy(_parsed(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SegmodelsError(f"{path}: no such file.") from None
    except OSError as error:
        raise SegmodelsError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise SegmodelsError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SegmodelsError(f"{path}: expected a mapping of names, found {type(value).__name__}.")
    for name in value:
        if not isinstance(name, str):
            raise SegmodelsError(f"{path}: {name!r} is no name; put it in quotes.")
    return value


def take_fields(
    source: str, entry: object, required: Mapping[str, type], optional: Mapping[str, type]
) -> dict[str, Any]:
    """Check one YAML entry against the fields a record knows and return it.

    `source` names the file and entry in messages. An `int` is welcome where a finite `float`
    is asked for, and nothing else is converted.

    Raises:
        SegmodelsError: a field is missing, unknown or of the wrong type.
    """
    if not isinstance(entry, dict):
        raise SegmodelsError(f"{source}: expected fields, found {type(entry).__name__}.")
    known = {**required, **optional}
    for name in required:
        if entry.get(name) is None:
            raise SegmodelsError(f"{source}: field {name!r} is missing.")
    for name, value in entry.items():
        if name not in known:
            raise SegmodelsError(
                f"{source}: unknown field {name!r}. Known: {', '.join(sorted(known))}."
            )
        if value is not None and not _fits(value, known[name]):
            raise SegmodelsError(
                f"{source}: field {name!r} must be {known[name].__name__}, "
                f"not {type(value).__name__} ({value!r}).{_hint(value, known[name])}"
            )
    return {name: value for name, value in entry.items() if value is not None}


def take_list(source: str, name: str, value: object, kind: type) -> list[Any]:
    """Check that a field is a list of one type and return it.

    Raises:
        SegmodelsError: it is no list, or an element has another type.
    """
    if not isinstance(value, list):
        raise SegmodelsError(
            f"{source}: field {name!r} must be a list, not {type(value).__name__} ({value!r})."
        )
    for element in value:
        if not _fits(element, kind):
            raise SegmodelsError(
                f"{source}: field {name!r} must list {kind.__name__}, not "
                f"{type(element).__name__} ({element!r}).{_hint(element, kind)}"
            )
    return value


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def _hint(value: object, kind: type) -> str:
    """YAML reads 1e-3 as text, which nobody expects."""
    try:
        is_number = kind is float and isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        is_number = False
    return " YAML wants a point and a sign in numbers, as in 1.0e-3." if is_number else ""
