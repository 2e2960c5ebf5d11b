"""A finding: the result of one check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from segmodels.errors import SegmodelsError

Grade = Literal["ok", "note", "bad"]

#: Files named of many that share a fault.
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """Result of one check: `bad` prevents work, `note` is information."""

    level: Grade
    subject: str
    text: str


def guarded(subject: str, check: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds, as it comes; an error that ends it is a finding too."""
    try:
        found = check()
        yield from [found] if isinstance(found, Finding) else found
    except SegmodelsError as error:
        yield Finding("bad", subject, str(error))


def first_of(many: list[str]) -> str:
    """The first few of many sentences or names."""
    more = f" … and {len(many) - _NAMED} more" if len(many) > _NAMED else ""
    return "; ".join(many[:_NAMED]) + more
