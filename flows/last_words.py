"""What a service that ended said of it in its log."""

from __future__ import annotations

import re
from pathlib import Path

#: A line that gives a reason; tracebacks end with one.
_REASON = re.compile(
    r"^\s*(?:[\w.]*(?:Error|Exception|Failure)\b:?|error:|.*\bFATAL:|.*No module named)"
)
_LONGEST = 300
_LOOKED_AT = 64_000


def last_words(log: Path) -> str:
    """The last line of a log that gives a reason, else its last line; "" of an empty one."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _LOOKED_AT))
        text = stream.read().decode("utf-8", "replace")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if _REASON.match(line)]
    return (reasons or lines or [""])[-1][:_LONGEST]
