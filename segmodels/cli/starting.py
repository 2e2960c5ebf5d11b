"""`segmodels init`: a project of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from segmodels.cli.common import Add, relative

if TYPE_CHECKING:
    from segmodels.core.bringing import Brought


def add(commands: Add) -> None:
    """Add it."""
    text = "make a project of your own: params, published evidence, pipeline, deployments"
    init = commands("init", _init, text)
    init.add_argument("folder", type=Path, help="a new or empty folder")
    about = "bring an earlier project up to date; files that you changed stay as they are"
    init.add_argument("--update", action="store_true", help=about)
    init.add_argument("--check", action="store_true", help="with --update: write nothing, only say")


def _init(chosen: argparse.Namespace) -> int:
    from segmodels.core.bringing import make_project, update_project

    folder = chosen.folder.expanduser().resolve()
    if chosen.update or chosen.check:
        _tell(update_project(folder, save=not chosen.check), chosen.check)
        return 0
    brought = make_project(folder)
    print(f"{len(brought.written)} files in {relative(folder)}, described in README.md there.")
    print(f"cd {relative(folder)} && segmodels list claims   # or: dvc repro")
    return 0


def _tell(brought: Brought, only: bool) -> None:
    for word, names in (
        ("would write" if only else "wrote", brought.written),
        ("would remove" if only else "removed", brought.removed),
        ("kept, changed here and in segmodels:", brought.kept),
    ):
        for name in names:
            print(f"{word} {name}")
    if not (brought.written or brought.removed or brought.kept):
        print("up to date")
