"""A run: one model with released or trained weights, on one split, under some protocols.

`params/runs/<name>.yaml` holds one run, `params/suites/<name>.yaml` a list of runs, and
`params/active.yaml` what `dvc repro` rebuilds. The active file is written by
`segmodels suite`, never by hand: it repeats what dvc.yaml must know of each run (dataset,
weights, recipe), because DVC's templates cannot follow a name into another file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from segmodels.assets.entries import load_dataset_entry, load_weights_entry
from segmodels.core.files import digest
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml, take_fields, take_list
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.protocols.reading import load_protocol


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: key; file name in `params/runs/`.
        model: name for `create_model`.
        dataset, split: what is evaluated.
        protocols: names; those with equal inference share one piece of evidence.
        weights: entry of `params/weights.yaml` (released weights), or
        recipe: file in `params/recipes/` (trained here) with
        seed: of initialisation and sampling and
        overrides: of the model's arguments.
        robustness: names in `params/robustness.yaml`.
        retrains: ids of claims that this training answers, by the paper's own recipe.
        keep_labels: whether `dvc repro` keeps the label maps of every protocol.
    """

    name: str
    model: str
    dataset: str
    split: str
    protocols: tuple[str, ...]
    weights: str | None = None
    recipe: str | None = None
    seed: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)
    robustness: tuple[str, ...] = ()
    retrains: tuple[str, ...] = ()
    keep_labels: bool = False

    @property
    def weights_folder(self) -> str:
        """Where the weights lie, relative to the project root."""
        return f"weights/{f'released/{self.weights}' if self.weights else f'trained/{self.name}'}"

    def distinct_protocols(self) -> list[str]:
        """The protocols that need an evaluation of their own: the first of each inference."""
        return list(self.evaluations())

    def evaluations(self) -> dict[str, list[str]]:
        """The same, each with all protocols that its evidence answers."""
        alike: dict[str, list[str]] = {}
        for name in self.protocols:
            alike.setdefault(digest(load_protocol(name).inference), []).append(name)
        return {names[0]: names for names in alike.values()}


_REQUIRED = {"model": str, "dataset": str, "split": str, "protocols": list}
_TRAINED = ("seed", "overrides")
_LISTS = ("protocols", "robustness", "retrains")
_OPTIONAL = {
    "weights": str,
    "recipe": str,
    "seed": int,
    "overrides": dict,
    "robustness": list,
    "retrains": list,
    "keep_labels": bool,
}


def run_names() -> list[str]:
    """Names of all runs, sorted."""
    return sorted(path.stem for path in (project_root() / "params" / "runs").glob("*.yaml"))


def load_run(name: str) -> Run:
    """Read `params/runs/<name>.yaml`.

    Raises:
        UnknownNameError: no such run; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible.
    """
    path = project_root() / "params" / "runs" / f"{name}.yaml"
    if not path.is_file():
        raise UnknownNameError("run", name, run_names())
    fields = take_fields(str(path), read_yaml(path), _REQUIRED, _OPTIONAL)
    for plural in _LISTS:
        fields[plural] = tuple(take_list(str(path), plural, fields.get(plural, []), str))
    run = checked_run(str(path), Run(name=name, **fields))
    if missing := [name for name in _TRAINED if "recipe" in fields and name not in fields]:
        # DVC's train stage tracks them by name.
        raise SegmodelsError(f"{path}: field {missing[0]!r} is missing; a recipe needs it.")
    return run


def checked_run(source: str, run: Run) -> Run:
    """A run whose fields fit each other and name what exists.

    Args:
        source: where it stands, for messages.
        run: as it stands there.

    Raises:
        SegmodelsError: a field is impossible.
    """
    _check(source, run)
    return run


def _check(path: str, run: Run) -> None:
    from segmodels.models import list_models

    if (run.weights is None) == (run.recipe is None):
        raise SegmodelsError(f"{path}: give either 'weights' (released) or 'recipe' (trained).")
    if run.weights and (run.seed or run.overrides):
        raise SegmodelsError(f"{path}: 'seed' and 'overrides' are for weights trained here.")
    if not run.protocols:
        raise SegmodelsError(f"{path}: field 'protocols' lists nothing.")
    if run.model not in list_models():
        raise SegmodelsError(f"{path}: {UnknownNameError('model', run.model, list_models())}")
    if run.retrains and not run.recipe:
        raise SegmodelsError(f"{path}: 'retrains' is for weights trained here.")
    if run.seed < 0:
        raise SegmodelsError(f"{path}: field 'seed' must be 0 or more, not {run.seed}.")
    try:
        _check_names(run)
    except UnknownNameError as error:
        raise SegmodelsError(f"{path}: {error}") from None
    if run.weights and load_weights_entry(run.weights).model != run.model:
        raise SegmodelsError(
            f"{path}: field 'model' is {run.model!r}, but weights {run.weights!r} are those of "
            f"{load_weights_entry(run.weights).model!r}."
        )


def _check_names(run: Run) -> None:
    params = project_root() / "params"
    splits = load_dataset_entry(run.dataset).splits
    if splits and run.split not in splits:
        raise UnknownNameError(f"split of {run.dataset}", run.split, splits)
    if run.weights:
        load_weights_entry(run.weights)
    for protocol in run.protocols:
        load_protocol(protocol)
    recipes = [path.stem for path in (params / "recipes").glob("*.yaml")]
    if run.recipe and run.recipe not in recipes:
        raise UnknownNameError("recipe", run.recipe, recipes)
    if run.robustness:
        known = read_yaml(params / "robustness.yaml")
        for suite in run.robustness:
            if suite not in known:
                raise UnknownNameError("robustness suite", suite, known)
