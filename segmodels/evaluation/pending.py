"""A result that is on its way: asked for once, when the next work has been begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Pending(Protocol[T_co]):
    """What a device may still be working on."""

    def result(self) -> T_co:
        """Wait for it."""
        ...


@dataclass(frozen=True)
class Deferred(Generic[T]):
    """A result that is computed, or waited for, by a function when it is asked for."""

    compute: Callable[[], T]

    def result(self) -> T:
        """Compute it, each time it is asked for."""
        return self.compute()
