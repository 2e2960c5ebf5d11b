"""Recipes as they are written: `params/recipes/<name>.yaml`, one on top of another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segmodels.core.listing import yaml_files
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError

#: The field of a file that names the recipe it is written on top of.
INHERITS = "inherits"

#: The field that names the weights a training begins with, an entry of `params/weights.yaml`.
INITIAL = "initial"

#: Recipes in a chain at most: people have to read them together.
LONGEST = 3


def recipe_folder() -> Path:
    """Where recipes lie."""
    return project_root() / "params" / "recipes"


def recipe_names(folder: Path | None = None) -> list[str]:
    """Names of all recipes, sorted."""
    return [path.stem for path in yaml_files(folder or recipe_folder(), "recipes")]


def recipe_fields(name: str, folder: Path | None = None) -> dict[str, Any]:
    """What a recipe says, with what it inherits.

    Raises:
        SegmodelsError: as `inherited`.
    """
    folder = folder or recipe_folder()
    fields: dict[str, Any] = {}
    for one in reversed(inherited(name, folder)):
        fields |= _written(folder, one)
    fields.pop(INHERITS, None)
    return fields


def inherited(name: str, folder: Path | None = None) -> list[str]:
    """A recipe's name and those it inherits from, the nearest first.

    Raises:
        UnknownNameError: there is no such recipe.
        SegmodelsError: it inherits from none that is known, in a circle, or from too many.
    """
    folder = folder or recipe_folder()
    chain = [_known(name, folder)]
    while (parent := _written(folder, chain[-1]).get(INHERITS)) is not None:
        place = f"{folder / f'{chain[-1]}.yaml'}: field '{INHERITS}'"
        if not isinstance(parent, str):
            raise SegmodelsError(f"{place}: expected the name of a recipe, found {parent!r}.")
        if parent in chain:
            circle = " -> ".join([*chain[chain.index(parent) :], parent])
            raise SegmodelsError(f"{place}: recipes inherit in a circle, {circle}.")
        try:
            chain.append(_known(parent, folder))
        except UnknownNameError as error:
            raise SegmodelsError(f"{place}: {error}") from None
        if len(chain) > LONGEST:
            raise SegmodelsError(
                f"{place}: {' -> '.join(chain)} is a chain of {len(chain)} recipes; at most "
                f"{LONGEST} are read together. Write one of them on top of {parent!r}."
            )
    return chain


def _known(name: str, folder: Path) -> str:
    if not (folder / f"{name}.yaml").is_file():
        raise UnknownNameError("recipe", name, recipe_names(folder))
    return name


def _written(folder: Path, name: str) -> Mapping[str, Any]:
    return read_yaml(folder / f"{name}.yaml")
