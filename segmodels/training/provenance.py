"""What made trained weights, and whether a run would still make the same ones. No torch.

Weights that were trained here carry everything that decided them: the network with its
arguments, the whole recipe, the seed, the images and the trainer. So does evidence about them.
Both are compared by this content; the name of a run or of a recipe decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segmodels.assets.entries import DatasetEntry, WeightsEntry, load_weights_entries
from segmodels.core.files import digest, first_file, read_json
from segmodels.errors import pick
from segmodels.evidence import Evidence
from segmodels.models.own_source import is_own, own_name, source_digest
from segmodels.runs.run import Run
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe, plain
from segmodels.versions import TRAINER

#: Everything that decides trained weights: `model`, `overrides`, `recipe`, `seed`, `dataset`,
#: `fingerprint` of its training images, `trainer`; of a network of the user's own its `source`, a
#: digest of the files that build it; where the recipe begins with weights, `initial`:
#: their identity.
Training = dict[str, Any]

#: The identity of initial weights, which decides, where their name does not.
INITIAL = "initial"

TRAINING_FIELDS = (
    *("model", "overrides", "recipe", "seed", "dataset", "fingerprint", "trainer"),
    *("source", INITIAL),
)

#: What a recipe is called decides nothing.
_NAMES = ("name", "title")

_DEFAULTS = {
    name: plain(field.default)
    for name, field in Recipe.model_fields.items()
    if not field.is_required()
}

_ABSENT = "(absent)"


def training(
    model: str,
    overrides: Mapping[str, Any],
    recipe: Recipe,
    seed: int,
    dataset: str,
    fingerprint: str | None,
    initial: str | None = None,
) -> Training:
    """Everything that decides the weights of a training.

    Args:
        model: name for `create_model` or function of the user's own, with
        overrides: of its arguments.
        recipe: as resolved: every field with its value.
        seed: of initialisation, sampling and augmentation.
        dataset: name of the data set.
        fingerprint: of its training split; None where nobody knows it.
        initial: identity of the weights that `recipe.initial` names; None where there are none,
            or nobody knows it.
    """
    known = {} if initial is None else {INITIAL: initial}
    return {
        "model": own_name(model) if is_own(model) else model,
        **({"source": source_digest(model)} if is_own(model) else {}),
        "overrides": dict(overrides),
        "recipe": recipe.to_dict(),
        "seed": seed,
        "dataset": dataset,
        "fingerprint": fingerprint,
        "trainer": TRAINER,
        **known,
    }


def own_network(run: Run) -> Training:
    """What decides a network of the user's own that comes with its weights, but for those."""
    model = {"model": own_name(run.model), "source": source_digest(run.model)}
    return {**model, "overrides": dict(run.overrides)}


def training_of(
    run: Run, fingerprint: str | None, weights: Mapping[str, WeightsEntry] | None = None
) -> Training | None:
    """What would train the weights of a run now; None for released weights.

    Of a network of the user's own that comes with its weights it is the network alone.

    Args:
        run: of a network.
        fingerprint: of its training images; None where nobody knows it.
        weights: entries of `params/weights.yaml`, where they were read already.
    """
    if run.comes_with_weights:
        return own_network(run)
    if run.recipe is None:
        return None
    recipe = load_recipe(run.recipe)
    initial = initial_identity(recipe, weights)
    return training(run.model, run.overrides, recipe, run.seed, run.dataset, fingerprint, initial)


def initial_identity(
    recipe: Recipe, weights: Mapping[str, WeightsEntry] | None = None
) -> str | None:
    """The identity of the weights that a recipe begins with, as registered or noted."""
    if recipe.initial is None:
        return None
    known = load_weights_entries() if weights is None else weights
    identities = pick("weights", recipe.initial, known).identities
    return identities[0] if len(identities) == 1 else None


def training_fingerprint(entry: DatasetEntry | None, *descriptions: Path) -> str | None:
    """Fingerprint of a data set's training images: as prepared here, else as registered.

    Args:
        entry: of `params/datasets.yaml`.
        descriptions: folders of `<dataset>.json` as `prepare` writes them.
    """
    if entry is None:
        return None
    path = first_file(descriptions, f"{entry.name}.json")
    if path is None:
        return entry.fingerprint("train")
    found: str | None = read_json(path)["splits"].get("train", {}).get("fingerprint")
    return found


def first_change(made: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What differs between two trainings, as words; empty when they give the same weights.

    A field of the recipe that one of them lacks has its default there: recipes gain fields, and a
    default is what those before were trained with.

    Args:
        made: what made the weights that are here.
        asked: what a run asks for. A `fingerprint` of None is not compared. Weights to begin with
            are compared by their identity, or by their name where it is not known.
    """
    one, other = _flat(made), _flat(asked)
    skipped = [] if other.get("fingerprint") else ["fingerprint"]
    skipped.append(f"recipe.{INITIAL}" if INITIAL in one and INITIAL in other else INITIAL)
    for name in skipped:
        one.pop(name, None)
        other.pop(name, None)
    for name in sorted(one.keys() | other.keys()):
        was, now = one.get(name, _ABSENT), other.get(name, _ABSENT)
        if was != now:
            return f"{name} was {_short(was)}, now it is {_short(now)}"
    return ""


def training_in(evidence: Evidence) -> Training:
    """What made the weights of evidence; empty where it does not say."""
    made: Training = evidence.weights_origin.get("training", {})
    return made


def training_digest(made: Mapping[str, Any]) -> str:
    """Hex SHA-256 of everything that decides the weights, names left out."""
    return digest(_flat(made))


def _flat(made: Mapping[str, Any]) -> dict[str, Any]:
    """Field by field, those of recipe and overrides by a name with a point."""
    return dict(_fields(made))


def _fields(made: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in made.items():
        if name == "recipe":
            whole = {**_DEFAULTS, **value}
            yield from ((f"recipe.{k}", v) for k, v in whole.items() if k not in _NAMES)
        elif name == "overrides":
            yield from ((f"overrides.{key}", one) for key, one in value.items())
        else:
            yield name, value


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
