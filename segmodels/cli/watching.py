"""`segmodels watch`."""

from __future__ import annotations

import argparse

from segmodels.cli.common import Add


def add(commands: Add) -> None:
    """Add it."""
    text = "ask for every released file whether it is still there, without downloading"
    commands("watch", _watch, text)


def _watch(chosen: argparse.Namespace) -> int:
    from segmodels.steps.watching import watch

    del chosen
    found = watch()
    for one in (one for one in found if one.problem):
        mark = "new: " if one.new else ""
        print(f"{mark}{', '.join(one.names)}: {one.problem} ({one.address})")
    silent = sum(not one.reached for one in found)
    wrong = sum(bool(one.problem) for one in found)
    print(f"addresses: {len(found)}, lost or changed: {wrong}, without an answer now: {silent}")
    return 0
