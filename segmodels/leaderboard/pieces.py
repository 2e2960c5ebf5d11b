"""Text with links and code in it: what people wrote, taken apart for the templates."""

from __future__ import annotations

import re
from dataclasses import dataclass

from segmodels.leaderboard.links import is_file, is_web

_SPECIAL = re.compile(r"`[^`]+`|https?://[^\s<>\"']*[^\s<>\"'.,;:()]")


@dataclass(frozen=True)
class Piece:
    """A stretch of text.

    Attributes:
        text: what is read.
        code: whether it is code.
        address: where it leads to: to the web or to a file beside the page; "" for no link.
    """

    text: str
    code: bool = False
    address: str = ""


Pieces = list[Piece]


def plain(text: str) -> Pieces:
    """Text as it is."""
    return [Piece(text)] if text else []


def code(text: str) -> Pieces:
    """Text as code."""
    return [Piece(text, code=True)] if text else []


def link(address: str, text: str) -> Pieces:
    """A link to the web where the address is one, else the text; nothing without text."""
    return [Piece(text, address=address if is_web(address) else "")] if text else []


def file_link(address: str, text: str, up: str = "") -> Pieces:
    """A link to a file beside the page where the address is one, else the text, both as code.

    Args:
        address: relative to the folder of the main page.
        text: what is read; "" gives nothing.
        up: the way from the linking page to that folder.
    """
    leads = up + address if is_file(address) else ""
    return [Piece(text, code=True, address=leads)] if text else []


def prose(text: str) -> Pieces:
    """Text with its web addresses as links, and what stands in backticks as code."""
    found: Pieces = []
    start = 0
    for special in _SPECIAL.finditer(text):
        found += plain(text[start : special.start()])
        word = special[0]
        found += code(word.strip("`")) if word.startswith("`") else link(word, word)
        start = special.end()
    return found + plain(text[start:])
