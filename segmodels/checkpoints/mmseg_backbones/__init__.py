"""From mmsegmentation's names of a backbone's tensors to ours; one file per backbone.

Each has ``renamed(tensors)``. It changes keys below ``backbone.`` and passes on all others.
"""

from __future__ import annotations

from collections.abc import Mapping


def replaced(name: str, prefixes: Mapping[str, str]) -> str:
    """The name with its beginning exchanged; the first prefix that fits counts."""
    for theirs, ours in prefixes.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
