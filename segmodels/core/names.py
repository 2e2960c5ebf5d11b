"""Names that users give and that become names of folders."""

from __future__ import annotations

import re

#: What names are made of, for messages.
LETTERS = "letters, digits, '-' and '_'"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


def is_name(text: str) -> bool:
    """Whether a text can be the name of a folder on every system, and leads to no other folder.

    It is of at most 60 letters, digits, `-` and `_`, and begins with a letter or digit.
    """
    return _NAME.fullmatch(text) is not None
