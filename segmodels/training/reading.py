"""Recipes from their files."""

from __future__ import annotations

from pathlib import Path

from segmodels.core.entry import read_entry
from segmodels.runs.recipe_files import inherited, recipe_fields, recipe_folder
from segmodels.training.recipe import Recipe


def load_recipe(name: str, folder: Path | None = None) -> Recipe:
    """Read `params/recipes/<name>.yaml` and what it inherits from.

    Raises:
        UnknownNameError: no such recipe; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible, or what it inherits from is.
    """
    folder = folder or recipe_folder()
    _, *others = inherited(name, folder)
    where = str(folder / f"{name}.yaml") + (f" (inherits {', '.join(others)})" if others else "")
    return read_entry(Recipe, where, recipe_fields(name, folder), name=name)
