"""A run: one model with released or trained weights, on one split, under some protocols.

`params/runs/<name>.yaml` holds one run, `params/suites/<name>.yaml` a list of runs, and
`params/active.yaml` what `dvc repro` rebuilds. The active file is written by
`segmodels suite`, not edited: it repeats what dvc.yaml needs of each run (dataset,
weights, recipe), because DVC's templates cannot follow a name into another file.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, NonNegativeInt
from pydantic.json_schema import SkipJsonSchema

from segmodels.assets.entries import (
    WeightsEntry,
    load_dataset_entry,
    load_weights_entries,
    load_weights_entry,
)
from segmodels.core.arguments import words
from segmodels.core.entry import Entry, Overrides, Several, Words, read_entry
from segmodels.core.files import digest
from segmodels.core.listing import yaml_files
from segmodels.core.names import LETTERS, is_name
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError, pick
from segmodels.models.own_source import find_source, is_own
from segmodels.protocols.reading import load_protocol
from segmodels.runs.recipe_files import INITIAL, recipe_fields


class Run(Entry):
    """One run.

    Attributes:
        name: key; file name in `params/runs/`.
        model: name for `create_model`, or the function that builds a network of the user's own:
            `nets/mynet.py:build`, relative to the project, or `package.nets:build`.
        dataset, split: what is evaluated.
        protocols: names; those with equal inference share one piece of evidence.
        weights: entry of `params/weights.yaml`, for released weights.
        recipe: file in `params/recipes/`, for weights trained here. A network of the user's own
            may have neither: it comes with the weights that its function gives it.
        seed: of initialisation and sampling of a training.
        overrides: arguments of the model that differ from its name's, in a training.
        robustness: names in `params/robustness.yaml`.
        retrains: ids of claims that this training answers, by the paper's own recipe.
        keep_labels: whether `dvc repro` keeps the label maps of every protocol.
    """

    name: SkipJsonSchema[str]
    model: Words
    dataset: Words
    split: Words
    protocols: Several[Words]
    weights: str | None = None
    recipe: str | None = None
    seed: NonNegativeInt = 0
    overrides: Overrides = Field(default_factory=dict)
    robustness: Several[Words] = ()
    retrains: Several[Words] = ()
    keep_labels: bool = False

    def problems(self) -> Iterator[str]:
        """Fields that do not fit each other."""
        if self.is_own and self.weights:
            yield "'weights' are those of known networks; let your function load its own"
        if not self.is_own and (self.weights is None) == (self.recipe is None):
            yield "give either 'weights' (released) or 'recipe' (trained)"
        if self.weights and (self.seed or self.overrides):
            yield "'seed' and 'overrides' are for weights trained here"
        if not self.protocols:
            yield "field 'protocols' lists nothing"
        for suite in self.robustness:
            if not is_name(suite):
                yield f"field 'robustness': {suite!r} is no name for a suite: {LETTERS}"
        if self.retrains and not self.recipe:
            yield "'retrains' is for weights trained here"
        for field, usual in (("seed", "0"), ("overrides", "{}")):  # DVC's train stage tracks them
            if self.recipe and field not in self.model_fields_set:
                yield f"field {field!r} is missing; a recipe needs it, as in `{field}: {usual}`"

    @property
    def is_own(self) -> bool:
        """Whether the network is the user's own."""
        return is_own(self.model)

    @property
    def comes_with_weights(self) -> bool:
        """Whether the user's own function gives the network its weights."""
        return self.is_own and self.recipe is None

    @property
    def initial(self) -> str | None:
        """Entry of `params/weights.yaml` that a training begins with, if its recipe names one."""
        found = recipe_fields(self.recipe).get(INITIAL) if self.recipe else None
        return found if isinstance(found, str) else None

    @property
    def weights_folder(self) -> str:
        """Where the weights lie, relative to the project root; what builds them, if nothing else
        is known of them.
        """
        if self.comes_with_weights:
            return self.source_file
        return f"weights/{f'released/{self.weights}' if self.weights else f'trained/{self.name}'}"

    @property
    def source_file(self) -> str:
        """What DVC watches of a network of the user's own: its file, or that of the run."""
        file = self.model.rpartition(":")[0]
        return file if file.endswith(".py") else f"params/runs/{self.name}.yaml"

    def distinct_protocols(self) -> list[str]:
        """The protocols that need an evaluation of their own: the first of each inference."""
        return list(self.evaluations())

    def evaluations(self) -> dict[str, list[str]]:
        """The same, each with all protocols that its evidence answers."""
        alike: dict[str, list[str]] = {}
        for name in self.protocols:
            alike.setdefault(digest(load_protocol(name).inference), []).append(name)
        return {names[0]: names for names in alike.values()}


def run_names() -> list[str]:
    """Names of all runs, sorted."""
    return [path.stem for path in yaml_files(project_root() / "params" / "runs", "runs")]


def load_run(name: str) -> Run:
    """Read `params/runs/<name>.yaml`.

    Raises:
        UnknownNameError: no such run; the message suggests the nearest.
        SegmodelsError: a field is missing, unknown or impossible.
    """
    known = run_names()
    if words("name", name) not in known and is_own(name):
        raise SegmodelsError(
            f"{name!r} is a network; a run with 'model: {name}' is trained and evaluated by the "
            f"name of its file in params/runs (docs/own.md)."
        )
    if name not in known:
        raise UnknownNameError("run", name, known)
    return _read(name)


def load_runs() -> dict[str, Run]:
    """All runs by name, sorted.

    Raises:
        SegmodelsError: a field of one is missing, unknown or impossible.
    """
    return {name: _read(name) for name in run_names()}


def _read(name: str) -> Run:
    path = project_root() / "params" / "runs" / f"{name}.yaml"
    run = read_entry(Run, str(path), read_yaml(path), name=name)
    return checked_run(str(path), run)


def checked_run(source: str, run: Run) -> Run:
    """A run that names what exists.

    Args:
        source: where it stands, for messages.
        run: as it stands there.

    Raises:
        SegmodelsError: a field is impossible.
    """
    from segmodels.models import list_models

    if run.is_own:
        _check_source(source, run)
    elif run.model not in list_models():
        raise SegmodelsError(f"{source}: {UnknownNameError('model', run.model, list_models())}")
    try:
        _check_names(run)
    except UnknownNameError as error:
        raise SegmodelsError(f"{source}: {error}") from None
    if run.weights:
        _check_weights(source, run, load_weights_entry(run.weights))
    return run


def _check_weights(source: str, run: Run, entry: WeightsEntry) -> None:
    if entry.part == "encoder":
        raise SegmodelsError(
            f"{source}: field 'weights' is {entry.name!r}, ImageNet weights of an encoder alone; "
            f"a recipe names them in {INITIAL!r}."
        )
    if entry.model != run.model:
        raise SegmodelsError(
            f"{source}: field 'model' is {run.model!r}, but weights {entry.name!r} are those of "
            f"{entry.model!r}."
        )


def _check_source(source: str, run: Run) -> None:
    """The file must be there; a module may be installed on another machine alone."""
    if run.model.rpartition(":")[0].endswith(".py"):
        try:
            find_source(run.model)
        except SegmodelsError as error:
            raise SegmodelsError(f"{source}: field 'model': {error}") from None


def _check_recipe(run: Run) -> None:
    """The recipe and all it inherits from must be there, and so must the weights it names."""
    if run.initial is None:
        return
    if run.is_own:
        raise SegmodelsError(
            f"run {run.name!r}: {INITIAL!r} of recipe {run.recipe!r} fills the encoder of a "
            f"network of this library, and {run.model!r} is none; let its function load the "
            f"weights that it begins with."
        )
    pick(f"{INITIAL!r} weights of recipe {run.recipe!r}:", run.initial, load_weights_entries())


def _check_names(run: Run) -> None:
    splits = load_dataset_entry(run.dataset).splits
    if splits and run.split not in splits:
        raise UnknownNameError(f"split of {run.dataset}", run.split, splits)
    if run.weights:
        load_weights_entry(run.weights)
    for protocol in run.protocols:
        load_protocol(protocol)
    if run.recipe:
        _check_recipe(run)
    if run.robustness:
        suites = read_yaml(project_root() / "params" / "robustness.yaml")
        for suite in run.robustness:
            if suite not in suites:
                raise UnknownNameError("robustness suite", suite, suites)
