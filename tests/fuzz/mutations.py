"""Values that go wrong, and where they are put: shared by all campaigns.

`SEGMODELS_FUZZ=5000` tries that many inputs a test (docs/fuzzing.md); the normal run a few dozen.
"""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("SEGMODELS_FUZZ", "24"))


def fewer(part: int) -> int:
    """The number of inputs of a test whose every input costs more, or of which there are many."""
    return EXAMPLES if "SEGMODELS_FUZZ" in os.environ else max(EXAMPLES // part, 1)


def campaign(examples: int = EXAMPLES) -> settings:
    """How often a test is tried; the normal run tries the same inputs every time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize="SEGMODELS_FUZZ" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


#: What people and programs write into fields by mistake.
ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 10**30, -(10**30), 0.5, 1e308, float("nan"), float("inf")),
    *(
        "",
        " ",
        "yes",
        "1:30",
        "1e3",
        "2105.15203",
        "../../etc",
        "/",
        "a\0b",
        "\ud800",
        "é…",
        "\u202e",
    ),
    *("x" * 5000, "{{ x }}", "=1+1", "a: b", "#", "%", "?", "-", "~", "\n", "\t", "null", "*", "["),
    *([], [None], [[]], [1, "a"], {}, {"a": 1}, {"": {}}, [{"name": 1}], {"a": {"b": {"c": []}}}),
]

#: Pieces of YAML that a dump would never write.
ODD_TEXT = [
    *("*x", "&a [*a]", "!!python/object:os.system x", "!!set {a}", "!!binary aGk=", "<<: *b"),
    *(
        "? [1]\n: 2",
        "1: 2",
        "2026-01-01: x",
        "a: 1\na: 2",
        "\t",
        "---\n",
        "...\n",
        "%TAG ! x",
        "\x07",
    ),
    *(
        "[" * 400,
        "{a: " * 300,
        "1:30",
        "0x10",
        "0o17",
        ".inf",
        "- ",
        ": ",
        "|",
        ">",
        "'",
        '"',
        "\ufeff",
    ),
    *(
        "a: &x [1]\nb: [*x, *x]",
        "yes: no",
        "~: ~",
        "[1, 2]: 3",
        "{}",
        "- a\nb: c",
        "\u2028",
        "\x85",
    ),
]

#: Each drawn anew: what is put into a tree may be changed there.
values = (
    st.sampled_from(ODD_VALUES).map(copy.deepcopy)
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
)


def places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The steps to every value of a tree, itself left out."""
    steps = (
        list(tree.items())
        if isinstance(tree, dict)
        else list(enumerate(tree))
        if isinstance(tree, list)
        else []
    )
    found = []
    for step, value in steps:
        found += [(*at, step), *places(value, (*at, step))]
    return found


@st.composite
def mutated(draw: st.DrawFn, tree: Any) -> Any:
    """A tree of which one to three values are exchanged, removed, doubled or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        known = places(tree)
        if not known:
            return draw(values)
        *way, last = draw(st.sampled_from(known))
        parent = tree
        for step in way:
            parent = parent[step]
        how = draw(st.sampled_from(["exchange", "remove", "rename", "deepen", "whole"]))
        if how == "exchange":
            parent[last] = draw(values)
        elif how == "remove":
            del parent[last]
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(st.text(max_size=8) | st.just(f"{last}x"))] = parent.pop(last)
        elif how == "deepen":
            parent[last] = draw(st.sampled_from([[parent[last]], {"a": parent[last]}]))
        elif how == "whole" and draw(st.integers(0, 9)) == 0:
            return draw(values)
    return tree


@st.composite
def mangled(draw: st.DrawFn, text: str) -> str:
    """A text with a piece put in, cut out or doubled at a place."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 60)))
    piece = draw(st.sampled_from(ODD_TEXT) | st.text(max_size=10) | st.just(text[start:end] * 2))
    return text[:start] + piece + text[end:]
