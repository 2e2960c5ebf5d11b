"""What pydantic finds wrong with an entry, as lines for people.

A line names file and entry, the field, what was expected and what was found, and for a name that
is not known the nearest that are.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from reprlib import Repr
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from segmodels.errors import nearest

#: The steps from an entry to one of its values.
Location = tuple[int | str, ...]

#: What pydantic expects, in words; for what is not here its own are good.
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "dict_type": "fields by name",
    "model_type": "fields by name",
    "model_attributes_type": "fields by name",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_too_short": "text that says something",
}

_BEYOND = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")

#: Bounds of JSON schema, in words.
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}

#: What is no expectation in pydantic's words.
_BARE = re.compile(r"^\w+ should (be |have )?| after validation, not \d+$")

_QUOTED = re.compile(r"'([^']*)'")

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def faults(where: str, kind: type[BaseModel], given: object, error: ValidationError) -> list[str]:
    """One line for each fault of an entry.

    Args:
        where: file and entry.
        kind: of entry.
        given: the entry as it was given.
        error: pydantic's.
    """
    every = error.errors(include_url=False)
    found = [one for one in every if not _lost_items(one, every)]
    # A misspelled field is also missing; what is misspelled says more.
    found.sort(key=lambda one: one["type"] != "extra_forbidden")
    return [f"{where}: {_line(kind, given, one)}" for one in found]


def _lost_items(fault: ErrorDetails, every: Sequence[ErrorDetails]) -> bool:
    """Whether a list is too short for pydantic alone, which leaves out items that are wrong."""
    place = fault["loc"]
    below = (one["loc"] for one in every if len(one["loc"]) > len(place))
    return fault["type"] == "too_short" and any(loc[: len(place)] == place for loc in below)


def unknown_field(kind: type[BaseModel], place: Location, given: object) -> str:
    """That no field is known by this name at this place of an entry, and which are."""
    known = sorted(_node(kind.model_json_schema(), place[:-1]).get("properties", {}))
    near = nearest(str(place[-1]), known)
    return f"unknown field '{_written(place, given)}'.{near} Known: {', '.join(known)}."


def _line(kind: type[BaseModel], given: object, fault: ErrorDetails) -> str:
    sort, place = fault["type"], fault["loc"]
    if sort in ("extra_forbidden", "invalid_key"):
        return unknown_field(kind, place, given)
    field = f"field '{_written(place, given)}'"
    if sort == "missing":
        return f"{field} is missing."
    if sort == "union_tag_not_found":
        return f"{field}: its field {fault['ctx']['discriminator']} is missing."
    if sort == "union_tag_invalid":
        tag, known = fault["ctx"]["tag"], fault["ctx"]["expected_tags"]
        return (
            f"{field}: expected {known} as its {fault['ctx']['discriminator']}, found {tag!r}."
            f"{nearest(tag, _QUOTED.findall(known))}"
        )
    if sort == "value_error":
        text = fault["msg"].removeprefix("Value error, ").removesuffix(".")
        if text.startswith("expected "):
            text += f", found {_short(fault['input'])}"
        return f"{field}: {text}." if place else f"{text}."
    expected = _EXPECTED.get(sort) or _limits(kind, fault) or _BARE.sub("", fault["msg"])
    return f"{field}: expected {expected}, found {_short(fault['input'])}.{_hint(fault)}"


def _limits(kind: type[BaseModel], fault: ErrorDetails) -> str:
    """Both bounds of a number, or the title of a text, which says what its pattern means."""
    if fault["type"] not in ("string_pattern_mismatch", *_BEYOND):
        return ""
    node = _node(kind.model_json_schema(), fault["loc"])
    bounds = [words.format(node[name]) for name, words in _BOUNDS.items() if name in node]
    return " and ".join(bounds) or str(node.get("title", ""))


def _written(place: Location, given: object) -> str:
    """A place as people write it: `files[name].sha256[0]`."""
    text = ""
    for rank, step in enumerate(place):
        if isinstance(step, int) and not isinstance(given, Mapping):
            given = given[step] if isinstance(given, Sequence) and step < len(given) else None
            name = given.get("name") if isinstance(given, Mapping) else None
            text += f"[{name or step}]"
        elif rank == len(place) - 1 or (isinstance(given, Mapping) and step in given):
            text += f".{step}"
            given = given.get(step) if isinstance(given, Mapping) else None
        # Else it is the kind of an entry that pydantic chose among several.
    return text.removeprefix(".")


def _node(schema: dict[str, Any], place: Location) -> dict[str, Any]:
    """The JSON schema of what stands at a place."""
    node = _resolved(schema, schema)
    for step in place:
        kinds = node.get("discriminator", {}).get("mapping", {})
        if isinstance(step, int):
            node = node.get("items") or node["prefixItems"][step]
        elif step in kinds:
            node = {"$ref": kinds[step]}
        else:
            node = node.get("properties", {}).get(step) or node.get("additionalProperties", {})
        node = _resolved(schema, node)
    return node


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a reference means, and of what may be null what it is else."""
    for one in node.get("anyOf", ()):
        if one.get("type") != "null":
            return _resolved(schema, one)
    if "$ref" in node:
        return _resolved(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
    return node


def _hint(fault: ErrorDetails) -> str:
    value, sort = fault["input"], fault["type"]
    if sort == "literal_error" and isinstance(value, str):
        return nearest(value, _QUOTED.findall(fault["ctx"]["expected"]))
    if sort == "string_type" and isinstance(value, bool | int | float | datetime.date):
        return " Put it in quotes."
    if sort == "float_type" and _is_number(value):
        return " YAML wants a point and a sign in numbers, as in 1.0e-3."
    return ""


def _is_number(value: object) -> bool:
    """YAML reads 1e-3 as text, which nobody expects."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _short(value: object) -> str:
    """What was found, short: a YAML file of ten lines can hold a value of gigabytes."""
    if isinstance(value, datetime.date):
        return str(value)
    return "nothing" if value is None else _SHORT.repr(value)
