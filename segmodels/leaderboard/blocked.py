"""Blocked rows, folded: by obstacle, and below it by reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from segmodels.leaderboard.papers import obstacle
from segmodels.verdicts.row import Row


@dataclass(frozen=True)
class Fold:
    """Rows that one obstacle blocks.

    Attributes:
        obstacle: in few words.
        reasons: first sentences of the reasons, each with how many rows have it, most first.
        rows: with the names of their pages.
    """

    obstacle: str
    reasons: dict[str, int]
    rows: tuple[tuple[Row, str], ...]


def folds(rows: Iterable[tuple[Row, str]]) -> list[Fold]:
    """One per obstacle, the largest first.

    Args:
        rows: blocked ones, with the names of their pages.
    """
    found: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for row, name in rows:
        found[obstacle(row)].append((row, name))
    made = [Fold(why, _reasons(of), tuple(of)) for why, of in found.items()]
    return sorted(made, key=lambda fold: (-len(fold.rows), fold.obstacle))


def first_sentence(text: str) -> str:
    """Up to the first full stop that a space follows."""
    return text.partition(". ")[0].rstrip(".") + "."


def _reasons(rows: Iterable[tuple[Row, str]]) -> dict[str, int]:
    return dict(Counter(first_sentence(row.verdict.reason) for row, _ in rows).most_common())
