"""What a statement about robustness compares, for the pictures on its page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segmodels.claims import Statement
from segmodels.claims.statement import EvidencePart
from segmodels.verdicts.row import Row


@dataclass(frozen=True)
class Compared:
    """Rows of the networks that a statement compares, and under which kinds of disturbance."""

    rows: tuple[Row, ...]
    kinds: tuple[str, ...]


NOTHING = Compared((), ())


def compared_in(row: Row, rows: Iterable[Row]) -> Compared:
    """What a row's statement compares of what is kept under disturbances; else nothing.

    Args:
        row: of the statement.
        rows: of the whole board.
    """
    entry = row.subject.entry
    parts = entry.parts if isinstance(entry, Statement) else ()
    about = [part for part in parts if isinstance(part, EvidencePart) and part.condition]
    runs = {run for part in about for run in (*part.subject, *part.other)}
    found = tuple(one for one in rows if one.run in runs) if runs else ()
    return Compared(found, tuple(dict.fromkeys(part.condition for part in about)))
