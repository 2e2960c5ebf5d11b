"""`segmodels weights`: files that a user has, for weights that nobody can fetch."""

from __future__ import annotations

import argparse
from pathlib import Path

from segmodels.cli.common import Add, relative


def add(commands: Add) -> None:
    """Add it with its actions."""
    text = "released weights that you have as files"
    actions = commands("weights", _list, text).add_subparsers(metavar="ACTION")
    adding = actions.add_parser("add", help="check files and use them as these weights")
    adding.add_argument("name", help="of params/weights.yaml; `segmodels weights` lists them")
    adding.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="the files that you have"
    )
    adding.set_defaults(command=_add)
    forgetting = actions.add_parser("forget", help="remove the copies and the note of their sha256")
    forgetting.add_argument("name", help="of params/weights.yaml")
    forgetting.set_defaults(command=_forget)


def _list(chosen: argparse.Namespace) -> int:
    from segmodels.assets.added import is_added
    from segmodels.assets.entries import load_weights_entries

    del chosen
    for name, entry in sorted(load_weights_entries().items()):
        state = "added" if is_added(entry) else entry.state
        print(f"{name}: {state}, {entry.model}{entry.reason and f' ({entry.reason})'}")
    return 0


def _add(chosen: argparse.Namespace) -> int:
    from segmodels.steps.adding import add_weights

    print_added(chosen.name, add_weights(chosen.name, chosen.files))
    for claim in _claims(chosen.name):
        print(f"  now: segmodels verify {claim}")
    return 0


def print_added(name: str, folder: Path) -> None:
    """Say what was added."""
    from segmodels.assets.entries import load_weights_entry

    entry = load_weights_entry(name)
    print(f"{name}: loads as {entry.model}; copied to {relative(folder)}")
    for file in entry.files:
        note = "" if file.sha256 else ", noted in params/weights.lock.yaml"
        print(f"  {file.name}: sha256 {file.accepted[0]}{note}")


def _claims(weights: str) -> list[str]:
    """Claims of these weights that can be verified now."""
    from segmodels.claims import load_claims
    from segmodels.steps.verify import obtainable

    return [
        claim.id
        for claim in load_claims().values()
        if claim.weights == weights and obtainable(claim)
    ]


def _forget(chosen: argparse.Namespace) -> int:
    from segmodels.steps.adding import forget_weights

    forget_weights(chosen.name)
    print(f"{chosen.name}: forgotten")
    return 0
