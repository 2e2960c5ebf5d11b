"""`segmodels list` and `segmodels show`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from segmodels.cli.common import Add
from segmodels.errors import SegmodelsError


def add(commands: Add) -> None:
    """Add both."""
    listing = commands(
        "list", _list, "list models, datasets, protocols, claims, recipes, runs or suites"
    )
    listing.add_argument("what", nargs="?", default="models", choices=_LISTS)
    listing.add_argument("--match", default="*", help="only names that match, e.g. 'segformer*'")
    about = "show a claim, protocol, run, recipe with what it inherits, dataset, weights or model"
    commands("show", _show, about).add_argument("name", help="as `segmodels list` prints it")


_LISTS = ("models", "datasets", "protocols", "claims", "recipes", "runs", "suites", "weights")


def _names(what: str) -> list[str]:
    from segmodels import claims, protocols, runs
    from segmodels.assets import entries
    from segmodels.models import list_models
    from segmodels.runs.recipe_files import recipe_names

    known: dict[str, Callable[[], list[str]]] = {
        "models": list_models,
        "datasets": lambda: sorted(entries.load_dataset_entries()),
        "protocols": lambda: sorted(protocols.load_protocols()),
        "claims": lambda: sorted({**claims.load_claims(), **claims.load_statements()}),
        "recipes": recipe_names,
        "runs": runs.run_names,
        "suites": runs.suite_names,
        "weights": lambda: sorted(entries.load_weights_entries()),
    }
    return known[what]()


def _list(chosen: argparse.Namespace) -> int:
    import fnmatch

    names = fnmatch.filter(_names(chosen.what), chosen.match)
    if not names:
        raise SegmodelsError(f"No {chosen.what} match {chosen.match!r}.")
    print("\n".join(names))
    return 0


def _show(chosen: argparse.Namespace) -> int:
    from dataclasses import asdict

    from segmodels import claims, protocols, runs
    from segmodels.assets import entries
    from segmodels.errors import UnknownNameError
    from segmodels.models.registry import MODELS
    from segmodels.runs.recipe_files import recipe_names
    from segmodels.training.reading import load_recipe

    published = {**claims.load_claims(), **claims.load_statements()}.get(chosen.name)
    found = {
        "protocol": protocols.load_protocols().get(chosen.name),
        "run": runs.load_run(chosen.name) if chosen.name in runs.run_names() else None,
        "dataset": entries.load_dataset_entries().get(chosen.name),
        "weights": entries.load_weights_entries().get(chosen.name),
    }
    output = {k: entry.model_dump(mode="json") for k, entry in found.items() if entry is not None}
    if chosen.name in recipe_names():
        output["recipe"] = load_recipe(chosen.name).to_dict()
    if chosen.name in MODELS:
        output["model"] = asdict(MODELS[chosen.name])
    if published is not None:
        output["claim"] = published.model_dump(mode="json", exclude_defaults=True)
    if not output:
        raise UnknownNameError("name", chosen.name, (n for what in _LISTS for n in _names(what)))
    print(json.dumps(output, indent=2, ensure_ascii=False, default=str))
    return 0
