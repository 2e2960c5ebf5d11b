"""What every stage of the pipeline is asked to do, each in a small file of its own.

DVC reads the whole of a file of parameters for every stage that names one of its keys, which for
the files in `params/` takes minutes where there are hundreds of runs. So one stage reads them all,
once, and the others depend on what it wrote about them: a file that stays as it is, to the byte,
until something is changed that the stage depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from segmodels.core import paths
from segmodels.core.bringing import REMEMBERED
from segmodels.core.files import combine, readable_json, sha256_of_file, write_text
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.runs.recipe_files import inherited, recipe_folder
from segmodels.runs.run import load_run
from segmodels.runs.suite import Active, load_active
from segmodels.versions import DATASETS, EVALUATOR, SOFTWARE, TRAINER

#: Fields of a run that decide what is trained, and what is counted.
_TRAINED = ("model", "overrides", "dataset", "recipe", "seed")
_COUNTED = ("model", "dataset", "split")

#: What a stage is asked, by group and name.
Asked = tuple[str, str, Mapping[str, Any]]


def write_asked() -> list[Path]:
    """Write `reports/local/stages/<group>/<name>.json` for every stage of `params/active.yaml`.

    A file that says the same already is left alone; one of a stage that is gone is removed.

    Returns:
        the paths of all that are there now.

    Raises:
        SegmodelsError: a file in `params/` is missing, broken, or lacks what another names;
            nothing is written.
    """
    folder = paths.asked()
    texts = {
        folder / group / f"{name}.json": readable_json(what)
        for group, name, what in _asked(load_active())
    }
    for path, text in texts.items():
        if not (path.is_file() and path.read_text(encoding="utf-8") == text):
            write_text(path, text)
    folder.mkdir(
        parents=True, exist_ok=True
    )  # also where nothing is asked: the pipeline expects it
    for path in set(folder.glob("*/*.json")) - set(texts):
        path.unlink()
    return list(texts)


def _installed() -> Iterator[Asked]:
    """Which code judges, where it is installed elsewhere: the pipeline cannot name its files."""
    if (project_root() / REMEMBERED).is_file():
        package = Path(__file__).resolve().parents[1]
        files = sorted(package.rglob("*.py"))
        named = ((path.relative_to(package).as_posix(), sha256_of_file(path)) for path in files)
        yield "installed", "segmodels", {"version": SOFTWARE, "code": combine(named)}


def _asked(active: Active) -> Iterator[Asked]:
    yield from _installed()
    yield from _of_datasets(active)
    for name in active.released:
        yield "weights", name, _some(_entry("weights.yaml", name), ("files", "state"))
    for name in (*active.trained, *active.own_trained):
        yield "train", name, _training(name)
    for key, stage in active.evaluated.items():
        yield "evaluate", key, _evaluation(str(stage["run"]), str(stage["protocol"]))
    for key, stage in active.stressed.items():
        conditions = _entry("robustness.yaml", str(stage["suite"]))
        asked = _counting(str(stage["run"]), str(stage["protocol"]))
        yield "robustness", key, {**asked, "suite": conditions}


def _of_datasets(active: Active) -> Iterator[Asked]:
    for name in active.downloaded:
        yield "download", name, _some(_entry("datasets.yaml", name), ("archives", "state"))
    for name in (*active.downloaded, *active.generated, *active.registered):
        described = _some(_entry("datasets.yaml", name), ("settings", "splits"))
        yield "prepare", name, {**described, "DATASETS": DATASETS}
    for name in active.own:
        yield "prepare", name, {**_read(f"datasets/{name}.yaml"), "DATASETS": DATASETS}


def _training(run: str) -> dict[str, Any]:
    """What weights are trained by; a recipe with all that it inherits."""
    fields = _some(_read(f"runs/{run}.yaml"), _TRAINED)
    recipes = [dict(read_yaml(recipe_folder() / f"{name}.yaml")) for name in _recipes(run)]
    return {**fields, "recipes": recipes, "TRAINER": TRAINER}


def _recipes(run: str) -> Iterable[str]:
    recipe = load_run(run).recipe
    return inherited(recipe) if recipe else ()


def _evaluation(run: str, protocol: str) -> dict[str, Any]:
    """What counts depend on, and the protocols that score them, not all of the run's."""
    answers = load_run(run).evaluations()[protocol]
    return {**_counting(run, protocol), "answers": answers}


def _counting(run: str, protocol: str) -> dict[str, Any]:
    fields = _some(_read(f"runs/{run}.yaml"), _COUNTED)
    return {**fields, "protocol": _entry("protocols.yaml", protocol), "EVALUATOR": EVALUATOR}


def _some(entry: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: entry[name] for name in names if name in entry}


def _entry(file: str, name: str) -> Mapping[str, Any]:
    """An entry of a file in `params/`, as it is written there."""
    entry: Mapping[str, Any] = _read(file)[name]
    return entry


def _read(file: str) -> Mapping[str, Any]:
    return read_yaml(project_root() / "params" / file)
