"""What the parts of a statement came to, in words."""

from __future__ import annotations

from collections import Counter

from segmodels.core.wording import many
from segmodels.verdicts.part_result import PartOutcome
from segmodels.verdicts.row import Row

#: What a reader sees for each outcome.
OUTCOMES: dict[PartOutcome, str] = {
    "holds": "holds",
    "holds_here": "holds on these images",
    "fails_here": "does not hold on these images",
    "fails": "does not hold",
    "open": "open",
}


def summary(row: Row) -> str:
    """`7 of 8 parts hold, 1 does not`; "" for a row without parts."""
    count = len(row.verdict.parts)
    if not count:
        return ""
    came = Counter(part.outcome for part in row.verdict.parts)
    holds, here = came["holds"], came["holds_here"]
    words = [
        f"{holds} of {many(count, 'part')} hold{'s' if holds == 1 else ''}",
        f"{here} hold{'s' if here == 1 else ''} on these images" if here else "",
        f"{came['fails']} do{'es' if came['fails'] == 1 else ''} not" if came["fails"] else "",
        f"{came['fails_here']} not on these images" if came["fails_here"] else "",
        f"{came['open']} open" if came["open"] else "",
    ]
    return ", ".join(filter(None, words))
