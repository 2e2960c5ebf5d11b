"""A shard: the part of a split that one of several processes counted."""

from __future__ import annotations

from dataclasses import dataclass

from segmodels.errors import SegmodelsError


@dataclass(frozen=True)
class Shard:
    """Which images of a split a process counted: `index`, `index + number`, and so on.

    Attributes:
        index: 0..number-1.
        number: how many shards the split has.
        digests: hex SHA-256 of each counted image with its labels, from which merging finds
            out whether all shards saw the registered images.
    """

    index: int
    number: int
    digests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.number:
            raise SegmodelsError(
                f"shard {self.index}/{self.number}: the first of N shards is 0/N, the last N-1/N."
            )

    def __str__(self) -> str:
        return f"{self.index}/{self.number}"
