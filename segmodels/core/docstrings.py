"""What docstrings say of a class and of each of its attributes, for pages and JSON schemas."""

from __future__ import annotations

import inspect
import re


def summary_of(kind: type) -> str:
    """The first paragraph of a class's own docstring, as one line; empty if it has none."""
    return " ".join(_doc(kind).split("\n\n")[0].split())


def attributes_of(kind: type) -> dict[str, str]:
    """What every attribute is, by name, from the part `Attributes:` of a class's docstring.

    Attributes that are described together (`a, b: …`) have the same words.
    """
    text = re.split(r"^Attributes:\n", _doc(kind), flags=re.MULTILINE)[1:]
    part = re.split(r"^\S", text[0], flags=re.MULTILINE)[0] if text else ""
    entries = re.split(r"^    (\w+(?:, \w+)*): ", part, flags=re.MULTILINE)[1:]
    pairs = zip(entries[::2], entries[1::2], strict=True)
    return {name: " ".join(words.split()) for names, words in pairs for name in names.split(", ")}


def _doc(kind: type) -> str:
    return inspect.cleandoc(vars(kind).get("__doc__") or "")
