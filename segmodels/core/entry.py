"""Entries of the files in `params/`: pydantic models that convert nothing and know their fields.

What is wrong with an entry is one line for each fault, in one `SegmodelsError`
(`segmodels.core.entry_errors`), whether it was read from a file or built in Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import CoreSchema

from segmodels.core.docstrings import attributes_of, summary_of
from segmodels.core.entry_errors import faults, unknown_field
from segmodels.errors import SegmodelsError

#: Context of a validation whose caller turns errors into lines; its reader knows file and entry.
READING = {"reading": True}


class Entry(BaseModel):
    """Frozen fields; a field that is unknown, or of another type than it says, is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked as the original was.

        Raises:
            SegmodelsError: a field is unknown or impossible.
        """
        given = {name: vars(self)[name] for name in self.model_fields_set}
        return type(self)(**{**given, **changes})

    def problems(self) -> Iterator[str]:
        """What is impossible about fields that are well each for itself; the first is reported."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _checked(
        cls, given: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Who builds an entry in Python reads the same line as who writes it into a file."""
        try:
            entry = handler(given)
        except ValidationError as error:
            if info.context is READING:
                raise
            raise SegmodelsError("\n".join(faults(_label(cls, given), cls, given, error))) from None
        for problem in entry.problems():
            if info.context is READING:
                raise ValueError(problem)
            raise SegmodelsError(f"{_label(cls, given)}: {problem}")
        return entry

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """JSON schema with the words of the docstring."""
        made = handler(core)
        schema = handler.resolve_ref_schema(made)
        schema["description"] = summary_of(cls) or cls.__name__
        words = attributes_of(cls)
        for name, field in cls.model_fields.items():
            described = schema.get("properties", {}).get(field.validation_alias or name)
            if described is not None:
                if field.title is None:
                    described.pop("title", None)  # pydantic's, which repeats the name
                described |= {"description": words[name]} if name in words else {}
        return made


AnyEntry = TypeVar("AnyEntry", bound=Entry)
Item = TypeVar("Item")


def read_entry(kind: type[AnyEntry], where: str, raw: object, **given: Any) -> AnyEntry:
    """An entry from the plain values of a file.

    Args:
        kind: of entry.
        where: file and entry, for messages.
        raw: what the file says.
        given: fields that the file does not give, such as the name an entry stands under.

    Raises:
        SegmodelsError: a field is missing, unknown or impossible; one line for each.
    """
    if not isinstance(raw, Mapping):
        raise SegmodelsError(f"{where}: expected fields, found {type(raw).__name__}.")
    for name in raw.keys() & given.keys():
        raise SegmodelsError(f"{where}: {unknown_field(kind, (str(name),), raw)}")
    try:
        return kind.model_validate({**raw, **given}, context=READING)
    except ValidationError as error:
        raise SegmodelsError("\n".join(faults(where, kind, raw, error))) from None


def _label(kind: type[Entry], given: Any) -> str:
    """`latency protocol 'name'`."""
    words = re.sub(r"(?<=.)(?=[A-Z])", " ", kind.__name__).lower()
    name = given.get("name") or given.get("id") if isinstance(given, dict) else None
    return f"{words} {name!r}" if name else words


def _as_written(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """A whole number stays whole, because digests are of the entry as it is written."""
    found = check(value)
    return value if type(value) is int else found


Number = Annotated[float, WrapValidator(_as_written)]
NotNegative = Annotated[float, Field(ge=0), WrapValidator(_as_written)]
AboveZero = Annotated[float, Field(gt=0), WrapValidator(_as_written)]

#: From 0 to 1.
Share = Annotated[float, Field(ge=0, le=1), WrapValidator(_as_written)]

#: From 0 to below 1.
BelowOne = Annotated[float, Field(ge=0, lt=1), WrapValidator(_as_written)]


def _each_once(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(set(values)) < len(values):
        raise ValueError("expected each once")
    return values


#: A list in a file, a tuple in Python.
Several = Annotated[tuple[Item, ...], Field(strict=False)]

_UNIQUE: dict[str, JsonValue] = {"uniqueItems": True}

#: The same of what is named once.
EachOnce = Annotated[
    tuple[Item, ...], Field(strict=False, json_schema_extra=_UNIQUE), AfterValidator(_each_once)
]

#: The same of one at least.
SomeOnce = Annotated[
    tuple[Item, ...],
    Field(strict=False, min_length=1, json_schema_extra=_UNIQUE),
    AfterValidator(_each_once),
]

#: Text that says something.
Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

#: Arguments of a network, by name.
Overrides = dict[str, JsonValue]

#: Side of an image; a longer one is a slip of the keyboard.
SideLength = Annotated[int, Field(ge=1, le=100_000)]

#: Height and width in pixels.
Size = Annotated[tuple[SideLength, SideLength], Field(strict=False)]
