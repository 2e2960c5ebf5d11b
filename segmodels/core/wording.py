"""Numbers of things in words."""

from __future__ import annotations


def many(number: int, word: str) -> str:
    """So many of a thing: `1 block`, `3 blocks`, `0 cities`."""
    if number == 1:
        return f"1 {word}"
    return f"{number} {word[:-1]}ies" if word.endswith("y") else f"{number} {word}s"
