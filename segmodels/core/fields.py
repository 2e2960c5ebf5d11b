"""Values for the fields of a dataclass, checked against what its annotations say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from segmodels.core.arguments import wrong


def check_fields(kind: type, given: Mapping[str, Any]) -> None:
    """Refuse a value of another type than its field; a list passes for a tuple, as in files.

    Raises:
        SegmodelsError: names the first field that is wrong.
    """
    for name, value in given.items():
        adapter, expected = _adapter(kind, name)
        try:
            adapter.validate_python(_tuples(value))
        except ValidationError:
            raise wrong(name, expected, value) from None


@cache
def _adapter(kind: type, name: str) -> tuple[TypeAdapter[Any], str]:
    hint = get_type_hints(kind)[name]
    settings = ConfigDict(strict=True, allow_inf_nan=False)
    expected = hint.__name__ if isinstance(hint, type) and not _parts(hint) else str(hint)
    return TypeAdapter(hint, config=settings), expected.replace("NoneType", "None")


def _parts(hint: Any) -> bool:
    return bool(getattr(hint, "__args__", ()))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
