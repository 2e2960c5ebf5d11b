"""The content security policy of a page: what a browser may run and load there."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable

#: Nothing is loaded, sent or framed but what is named after it.
_NOTHING_ELSE = "default-src 'none'; base-uri 'none'; form-action 'none'"

#: Pages beside the board: style sheet, script and pictures lie in the same folder tree.
BESIDE = f"{_NOTHING_ELSE}; style-src 'self'; script-src 'self'; img-src 'self' data:"


def inline_policy(styles: Iterable[str], scripts: Iterable[str] = ()) -> str:
    """The policy of a page that holds its styles and scripts itself.

    Args:
        styles: the text between `<style>` and its end, to the letter.
        scripts: likewise; none: no script runs.
    """
    return (
        f"{_NOTHING_ELSE}; style-src {_hashes(styles)}; script-src {_hashes(scripts)}; "
        "img-src 'self' data:"
    )


def _hashes(texts: Iterable[str]) -> str:
    """What may stand there, by its SHA-256 as browsers write it."""
    return " ".join(map(_hash, texts)) or "'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
