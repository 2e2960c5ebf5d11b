"""Documents that fit one of the JSON schemas in `params/schemas`, drawn field by field."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

#: Words of this project among others, so that some of the names that are drawn lead somewhere.
WORDS = [
    "tiny",
    "published",
    "shapes",
    "plain",
    "strict",
    "quick",
    "segformer_nano",
    "test",
    "mIoU",
]
DEEPEST = 6
words = st.sampled_from(WORDS) | st.text(min_size=1, max_size=6)


def fitting(schema: Schema, root: Schema | None = None, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema.

    Args:
        schema: a part of `root`.
        root: the whole, in which references are looked up.
        depth: how far below the root; what may be left out is, below the deepest.
    """
    root = root or schema
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return st.deferred(lambda: fitting(found, root, depth + 1))
    for name in ("anyOf", "oneOf"):
        if name in schema:
            whole = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
            both = whole if "properties" in schema else {}  # and what each way says besides
            ways = [fitting({**both, **_required(both, one)}, root, depth) for one in schema[name]]
            return st.one_of(ways[-1:] if depth > DEEPEST else ways)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", ["string", "number", "boolean", "null"])
    return st.one_of(
        [
            _of_kind(one, schema, root, depth)
            for one in ([kinds] if isinstance(kinds, str) else kinds)
        ]
    )


def _required(both: Schema, one: Schema) -> Schema:
    """One of several ways, with all that it and what they share require."""
    if not both:
        return one
    return {**one, "required": [*both.get("required", ()), *one.get("required", ())]}


def _of_kind(kind: str, schema: Schema, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    if kind == "object":
        return _mappings(schema, root, depth)
    if kind == "array":
        return _lists(schema, root, depth)
    if kind in ("integer", "number"):
        return _numbers(kind, schema)
    if kind == "string":
        return st.from_regex(schema["pattern"]) if "pattern" in schema else words
    return {"boolean": st.booleans(), "null": st.none()}[kind]


def _numbers(kind: str, schema: Schema) -> st.SearchStrategy[Any]:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -3))
    most = schema.get("maximum", schema.get("exclusiveMaximum", 10**4))
    above, below = "exclusiveMinimum" in schema, "exclusiveMaximum" in schema
    if kind == "integer":
        return st.integers(int(least) + above, int(most) - below)
    return st.floats(least, most, exclude_min=above, exclude_max=below)


def _lists(schema: Schema, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*(fitting(one, root, depth + 1) for one in schema["prefixItems"])).map(
            list
        )
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", least + 2), least + 2)
    each = fitting(schema.get("items", {}), root, depth + 1)
    return st.lists(each, min_size=least, max_size=least if depth > DEEPEST else most)


@st.composite
def _mappings(draw: st.DrawFn, schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    made = {}
    for name, inner in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or (depth <= DEEPEST and draw(st.booleans())):
            made[name] = draw(fitting(inner, root, depth + 1))
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        names = fitting(schema["propertyNames"], root) if "propertyNames" in schema else words
        for name in draw(st.lists(names, max_size=2, unique=True)):
            made[name] = draw(fitting(rest, root, depth + 1))
    return made
