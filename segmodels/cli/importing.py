"""`segmodels claims import`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from segmodels.cli.common import relative

if TYPE_CHECKING:
    from collections.abc import Mapping

    Actions = argparse._SubParsersAction[argparse.ArgumentParser]


def add(actions: Actions) -> None:
    """Add it to the actions of `segmodels claims`."""
    importing = actions.add_parser("import", help="write claims from other people's lists")
    sources = importing.add_subparsers(metavar="SOURCE", required=True)
    text = "mmsegmentation's model zoo, into params/claims/mmseg and params/weights.yaml"
    mmseg = sources.add_parser("mmseg", help=text, description=text)
    mmseg.add_argument("path", type=Path, help="its wheel, or a folder with its configs")
    mmseg.set_defaults(command=_import_mmseg)
    text = "a paper's JSON of SOTAVerified's interface, into params/claims/sotaverified"
    paper = sources.add_parser("sotaverified", help=text, description=text)
    paper.add_argument("path", type=Path, metavar="FILE.json", help="as /api/v1/papers/ID gives it")
    paper.add_argument("--model", metavar="NAME", help="the network that its numbers are of")
    paper.set_defaults(command=_import_paper)


def _import_paper(chosen: argparse.Namespace) -> int:
    from segmodels.exchange.sotaverified.claims import import_paper

    imported = import_paper(chosen.path, chosen.model)
    if imported.path:
        print(relative(imported.path))
    print(f"{len(imported.ids)} claims written, protocol left open: the interface does not say it")
    for name in imported.known:
        print(f"  stands here already: {name}")
    for reason in imported.left_out:
        print(f"  left out: {reason}")
    return 0


def _import_mmseg(chosen: argparse.Namespace) -> int:
    from segmodels.exchange.mmseg.claims import import_zoo

    imported = import_zoo(chosen.path)
    for path in imported.files:
        print(relative(path))
    by_hand = f"{imported.by_hand} more stand in files by hand already"
    print(f"{imported.claims} claims written; {by_hand}")
    _print_left_out(imported.left_out)
    print("now: segmodels claims validate")
    return 0


def _print_left_out(left_out: Mapping[str, int]) -> None:
    """Numbers that were not written, the most frequent reason first."""
    print(f"{sum(left_out.values())} left out, for what is not here:")
    for reason, number in sorted(left_out.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"  {number:4} {reason}")
