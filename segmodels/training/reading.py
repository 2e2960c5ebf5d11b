"""Recipes from their files: `params/recipes/<name>.yaml`, one on top of another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmodels.core.entry import read_entry
from segmodels.core.listing import yaml_files
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.training.recipe import Recipe

#: The field of a file that names the recipe it is written on top of.
INHERITS = "inherits"


def load_recipe(name: str, folder: Path | None = None) -> Recipe:
    """Read `params/recipes/<name>.yaml` and what it inherits from.

    Raises:
        UnknownNameError: no such recipe; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible, or recipes inherit in a circle.
    """
    folder = folder or project_root() / "params" / "recipes"
    chain = inherited(name, folder)
    fields: dict[str, Any] = {}
    for one in reversed(chain):
        fields |= _fields(folder, one)
    fields.pop(INHERITS, None)
    where = str(folder / f"{name}.yaml")
    if len(chain) > 1:
        where += f" (inherits {', '.join(chain[1:])})"
    return read_entry(Recipe, where, fields, name=name)


def inherited(name: str, folder: Path | None = None) -> list[str]:
    """A recipe's name and those it inherits from, the nearest first.

    Raises:
        UnknownNameError: one of them is no recipe.
        SegmodelsError: they inherit in a circle.
    """
    folder = folder or project_root() / "params" / "recipes"
    chain = [_known(name, folder)]
    while (parent := _fields(folder, chain[-1]).get(INHERITS)) is not None:
        path = folder / f"{chain[-1]}.yaml"
        if not isinstance(parent, str):
            raise SegmodelsError(
                f"{path}: field '{INHERITS}': expected the name of a recipe, found {parent!r}."
            )
        if parent in chain:
            circle = " -> ".join([*chain[chain.index(parent) :], parent])
            raise SegmodelsError(f"{path}: recipes inherit in a circle, {circle}.")
        try:
            chain.append(_known(parent, folder))
        except UnknownNameError as error:
            raise SegmodelsError(f"{path}: field '{INHERITS}': {error}") from None
    return chain


def _known(name: str, folder: Path) -> str:
    if not (folder / f"{name}.yaml").is_file():
        raise UnknownNameError("recipe", name, (p.stem for p in yaml_files(folder, "recipes")))
    return name


def _fields(folder: Path, name: str) -> Mapping[str, Any]:
    path = folder / f"{name}.yaml"
    found = read_yaml(path)
    if not isinstance(found, Mapping):
        raise SegmodelsError(f"{path}: expected fields, found {type(found).__name__}.")
    return found
