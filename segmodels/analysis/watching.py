"""What goes into modules of a network and comes out of them, while it predicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Seen:
    """One call of a module: what it was given, and what it gave."""

    given: tuple[Any, ...]
    gave: Any


@contextmanager
def watching(modules: Iterable[nn.Module]) -> Iterator[dict[nn.Module, Seen]]:
    """The last call of each of some modules in the block; nothing of the network changes."""
    seen: dict[nn.Module, Seen] = {}

    def note(module: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        seen[module] = Seen(given, gave)

    hooks = [module.register_forward_hook(note) for module in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
