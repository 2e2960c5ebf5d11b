"""Addresses: what may become a link, and the file names of pages."""

from __future__ import annotations

import re
from collections import Counter

from segmodels.verdicts.row import Row

#: From the page of a row to the folder of the main page.
UP = "../"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def page_names(rows: list[Row]) -> list[str]:
    """File name, without ending, of the page of every row, whatever the order of the rows.

    A claim gives its id, a measurement its run and protocol; where that is not enough to tell
    them apart, metric and evidence as well.
    """
    plain = [_page_name(row) for row in rows]
    counted = Counter(plain)
    return [
        name
        if row.subject.id or counted[name] == 1
        else file_name(name, row.subject.metric, row.evidence_key)
        for name, row in zip(plain, rows, strict=True)
    ]


def _page_name(row: Row) -> str:
    if row.subject.id:
        return file_name(row.subject.id)
    return file_name(row.run or row.subject.model, row.protocol_name, row.subject.corruption)


def file_name(*parts: str | None) -> str:
    """A file name, without ending, of words that anybody may have written."""
    return _UNSAFE.sub("-", "-".join(part for part in parts if part)).lstrip(".") or "row"


def is_web(address: str) -> bool:
    """Whether an address leads to the web."""
    return address.startswith(("https://", "http://"))


def is_file(address: str) -> bool:
    """Whether an address is that of a file beside the page."""
    scheme = ":" in address.partition("/")[0]
    return bool(address) and not scheme and not address.startswith(("/", "\\"))
