"""Entries of files: nothing is converted, and every fault is one line that names its place."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PositiveInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.core.docstrings import attributes_of, summary_of
from segmodels.core.entry import (
    EachOnce,
    Entry,
    Number,
    Several,
    Share,
    SomeOnce,
    Words,
    read_entry,
)
from segmodels.errors import SegmodelsError


class Archive(Entry):
    """A file to fetch.

    Attributes:
        name: of the file.
        sums: its checksums.
    """

    name: Words
    sums: Several[str] = ()


class Circle(Entry):
    kind: Literal["circle"]
    radius: int


class Square(Entry):
    kind: Literal["square"]
    side: int


class SmallThing(Entry):
    """A thing of tests.

    What it is for stands here and in no schema.

    Attributes:
        name: key in the file.
        title: one line for people, which may
            be longer than a line.
        low, high: bounds.

    Nothing here is an attribute: not even this.
    """

    name: SkipJsonSchema[str]
    title: Words
    low: Number = 0.5
    high: Number = 1
    size: PositiveInt | None = None
    share: Share = 0.5
    flag: bool = False
    void: Literal["ignore", "error"] = "ignore"
    files: Several[Archive] = ()
    once: EachOnce[int] = ()
    some: SomeOnce[int] = (1,)
    shapes: Several[Annotated[Circle | Square, Field(discriminator="kind")]] = ()
    by_name: dict[str, Archive] = Field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        if self.low > self.high:
            yield f"'low' ({self.low}) lies above 'high' ({self.high})"
            yield "and this is not reached"


def read(**fields: Any) -> SmallThing:
    return read_entry(SmallThing, "f.yaml, thing 'a'", {"title": "T", **fields}, name="a")


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"title": None}, "field 'title': expected text, found nothing."),
        ({"title": " "}, "field 'title': expected text that says something, found ' '."),
        ({"title": True}, "field 'title': expected text, found True. Put it in quotes."),
        ({"title": 1.0}, "field 'title': expected text, found 1.0. Put it in quotes."),
        (
            {"title": datetime.date(2026, 1, 2)},
            "field 'title': expected text, found 2026-01-02. Put it in quotes.",
        ),
        ({"size": 1.0}, "field 'size': expected a whole number, found 1.0."),
        ({"size": "3"}, "field 'size': expected a whole number, found '3'."),
        ({"size": True}, "field 'size': expected a whole number, found True."),
        ({"size": 0}, "field 'size': expected above 0, found 0."),
        ({"share": 75}, "field 'share': expected at least 0 and at most 1, found 75."),
        ({"low": True}, "field 'low': expected a number, found True."),
        ({"low": float("inf")}, "field 'low': expected a finite number, found inf."),
        (
            {"low": "1e-3"},
            "field 'low': expected a number, found '1e-3'. "
            "YAML wants a point and a sign in numbers, as in 1.0e-3.",
        ),
        ({"low": "much"}, "field 'low': expected a number, found 'much'."),
        ({"flag": 1}, "field 'flag': expected true or false, found 1."),
        ({"files": "a"}, "field 'files': expected a list, found 'a'."),
        ({"files": ["a"]}, "field 'files[0]': expected fields by name, found 'a'."),
        ({"files": [{}]}, "field 'files[0].name' is missing."),
        ({"once": [1, 2, 1]}, "field 'once': expected each once, found [1, 2, 1]."),
        ({"some": []}, "field 'some': expected at least 1 item, found []."),
        ({"some": ["a"]}, "field 'some[0]': expected a whole number, found 'a'."),
        ({"some": [1, 1]}, "field 'some': expected each once, found [1, 1]."),
        (
            {"files": [{"name": "a.zip", "sums": ["x", 1]}]},
            "field 'files[a.zip].sums[1]': expected text, found 1. Put it in quotes.",
        ),
        ({"by_name": {"b": {"name": 3}}}, None),
        (
            {"by_name": {"b": {"name": "n", "sum": 3}}},
            "unknown field 'by_name.b.sum'. Did you mean 'sums'? Known: name, sums.",
        ),
        (
            {"files": [{"name": "n", "nam": 3}]},
            "unknown field 'files[n].nam'. Did you mean 'name'? Known: name, sums.",
        ),
        (
            {"void": "eror"},
            "field 'void': expected 'ignore' or 'error', found 'eror'. "
            "Did you mean 'error' or 'ignore'?",
        ),
        ({"void": 3}, "field 'void': expected 'ignore' or 'error', found 3."),
        ({"shapes": [{}]}, "field 'shapes[0]': its field 'kind' is missing."),
        (
            {"shapes": [{"kind": "sqare"}]},
            "field 'shapes[0]': expected 'circle', 'square' as its 'kind', found 'sqare'. "
            "Did you mean 'square'?",
        ),
        (
            {"shapes": [{"kind": "circle", "radius": "1"}]},
            "field 'shapes[0].radius': expected a whole number, found '1'.",
        ),
        (
            {"shapes": [{"kind": "circle", "radius": 1, "radios": 1}]},
            "unknown field 'shapes[0].radios'. Did you mean 'radius'? Known: kind, radius.",
        ),
        ({"low": 3, "high": 2}, "'low' (3) lies above 'high' (2)."),
    ],
)
def test_a_fault_is_one_line(fields: dict[str, Any], line: str | None) -> None:
    with pytest.raises(SegmodelsError) as caught:
        read(**fields)
    line = line or "field 'by_name.b.name': expected text, found 3. Put it in quotes."
    assert str(caught.value) == f"f.yaml, thing 'a': {line}"


def test_a_name_that_is_no_text_is_unknown() -> None:
    with pytest.raises(SegmodelsError, match=r"f: unknown field '3'\. Known: by_name, files"):
        read_entry(SmallThing, "f", {"title": "T", 3: "a"}, name="a")


def test_what_is_misspelled_comes_before_what_is_missing() -> None:
    with pytest.raises(SegmodelsError) as caught:
        read_entry(SmallThing, "f", {"titel": "T", "size": "big"}, name="a")
    first, *others = str(caught.value).splitlines()
    assert first.startswith("f: unknown field 'titel'. Did you mean 'title'")
    assert others == [
        "f: field 'title' is missing.",
        "f: field 'size': expected a whole number, found 'big'.",
    ]


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(SegmodelsError) as caught:
        read(title=["x" * 9999] * 999)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("raw", [None, 3, ["a"], "text"])
def test_what_is_no_mapping_has_no_fields(raw: object) -> None:
    with pytest.raises(SegmodelsError, match=f"f: expected fields, found {type(raw).__name__}"):
        read_entry(SmallThing, "f", raw, name="a")


def test_a_field_that_the_file_does_not_give_is_not_known_in_it() -> None:
    with pytest.raises(SegmodelsError, match="f: unknown field 'name'") as caught:
        read_entry(SmallThing, "f", {"title": "T", "name": "b"}, name="a")
    assert "name" not in str(caught.value).split("Known: ")[1].replace("by_name", "").split(", ")


def test_numbers_stay_as_they_are_written() -> None:
    """Digests are of the entry, and 1 and 1.0 are not the same text."""
    thing = read(low=1, high=2.0)
    assert (repr(thing.low), repr(thing.high)) == ("1", "2.0")


def test_an_entry_of_python_is_checked_like_one_of_a_file() -> None:
    thing = SmallThing(name="a", title="T", files=[Archive(name="x")])
    assert thing.files == (Archive(name="x"),)
    with pytest.raises(SegmodelsError, match=r"^small thing 'a': field 'title' is missing.$"):
        SmallThing(name="a")  # type: ignore[call-arg]
    with pytest.raises(SegmodelsError, match=r"^small thing 'a': 'low' .3. lies above"):
        SmallThing(name="a", title="T", low=3)
    with pytest.raises(SegmodelsError, match=r"^circle: field 'kind'"):
        Circle(kind="square", radius=1)  # type: ignore[arg-type]


def test_a_changed_copy_is_checked_again() -> None:
    thing = read(files=[{"name": "x"}])
    assert thing.replace(low=1).files is not None
    assert thing.replace(low=1) == read(files=[{"name": "x"}], low=1)
    for change in ({"low": 3}, {"lov": 1}, {"low": "1"}):
        with pytest.raises(SegmodelsError, match="small thing 'a'"):
            thing.replace(**change)
    with pytest.raises(ValueError, match="frozen"):
        thing.low = 3  # type: ignore[misc]


def test_a_schema_has_the_words_of_the_docstring() -> None:
    schema = SmallThing.model_json_schema()
    assert schema["description"] == "A thing of tests."
    fields = schema["properties"]
    assert "name" not in fields
    assert schema["required"] == ["title"]
    assert fields["title"]["description"] == "one line for people, which may be longer than a line."
    assert fields["low"]["description"] == fields["high"]["description"] == "bounds."
    assert "description" not in fields["flag"]
    assert schema["$defs"]["Archive"]["properties"]["sums"]["description"] == "its checksums."
    assert schema["$defs"]["Circle"]["description"] == "Circle"


def test_what_docstrings_say() -> None:
    assert summary_of(SmallThing) == "A thing of tests."
    assert list(attributes_of(SmallThing)) == ["name", "title", "low", "high"]
    assert (summary_of(Circle), attributes_of(Circle)) == ("", {})
