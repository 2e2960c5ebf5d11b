"""What a statement about robustness compares, for the pictures on its page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segmodels.claims import Statement
from segmodels.claims.statement import EvidencePart
from segmodels.metrics.severities import CORRUPTION, NOISE
from segmodels.verdicts.row import Row


@dataclass(frozen=True)
class Compared:
    """Rows that belong together, and under which kinds of disturbance."""

    rows: tuple[Row, ...]
    kinds: tuple[str, ...]


NOTHING = Compared((), ())


def compared_in(row: Row, rows: Iterable[Row]) -> Compared:
    """What a row's statement compares of what is kept under disturbances; else nothing.

    A claim about one corruption, or one level of noise, is compared with the others of its table
    or figure.

    Args:
        row: of the statement or claim.
        rows: of the whole board.
    """
    claim = row.subject.claim
    if claim and (claim.corruption or claim.noise is not None):
        found = (one for one in rows if one.subject.claim and one.subject.source == claim.source)
        return Compared(tuple(found), (CORRUPTION if claim.corruption else NOISE,))
    entry = row.subject.entry
    parts = entry.parts if isinstance(entry, Statement) else ()
    about = [part for part in parts if isinstance(part, EvidencePart) and part.condition]
    runs = {run for part in about for run in (*part.subject, *part.other)}
    named = tuple(one for one in rows if one.run in runs) if runs else ()
    return Compared(named, tuple(dict.fromkeys(part.condition for part in about)))
