"""Suites of runs, and `params/active.yaml`, which says what `dvc repro` rebuilds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.arguments import words
from segmodels.core.entry import Entry, Several, Words, read_entry
from segmodels.core.files import write_text
from segmodels.core.listing import yaml_files
from segmodels.core.settings import project_root
from segmodels.core.yaml_entries import read_yaml
from segmodels.errors import SegmodelsError, UnknownNameError
from segmodels.runs.run import Run, load_run, run_names

#: Fields of stages of dvc.yaml, by name.
Stages = dict[str, dict[str, Any]]


class Suite(Entry):
    """A list of runs: `params/suites/<name>.yaml`.

    Attributes:
        title: one line for people.
        runs: names in `params/runs/`.
    """

    title: Words
    runs: Several[Words]


class Active(Entry):
    """What `dvc repro` rebuilds: `params/active.yaml`. Written by `segmodels suite`.

    Attributes:
        suites, runs: their names.
        downloaded, generated, registered, own: datasets, by where they come from.
        released: weights that are fetched.
        trained, own_trained, evaluated, labelled, stressed: stages of dvc.yaml by name.
    """

    suites: Several[str]
    runs: Several[str] = ()
    downloaded: Several[str] = ()
    generated: Several[str] = ()
    registered: Several[str] = ()
    own: Several[str] = ()
    released: Several[str] = ()
    trained: Stages = Field(default_factory=dict)
    own_trained: Stages = Field(default_factory=dict)
    evaluated: Stages = Field(default_factory=dict)
    labelled: Stages = Field(default_factory=dict)
    stressed: Stages = Field(default_factory=dict)


def suite_names() -> list[str]:
    """Names of all suites, sorted."""
    return [path.stem for path in yaml_files(project_root() / "params" / "suites", "suites")]


def load_suite(name: str) -> list[Run]:
    """The runs of `params/suites/<name>.yaml`.

    Raises:
        UnknownNameError: no such suite; the message suggests the nearest.
        SegmodelsError: it lists an unknown run, or a run of it is broken.
    """
    path = project_root() / "params" / "suites" / f"{name}.yaml"
    if words("name", name) not in suite_names():
        raise UnknownNameError("suite", name, suite_names())
    known = set(run_names())
    listed = read_entry(Suite, str(path), read_yaml(path)).runs
    return [_listed(path, run, known) for run in listed]


def _listed(path: Path, name: str, known: set[str]) -> Run:
    if name not in known:
        raise SegmodelsError(f"{path}: {UnknownNameError('run', name, known)}")
    return load_run(name)


_HEADER = """\
# What `dvc repro` rebuilds. Written by `segmodels suite {names}`; change a run or a suite, then
# write it again. dvc.yaml makes one stage of every name below.
"""


def active_text(suites: list[str]) -> str:
    """The content of `params/active.yaml` for some suites."""
    runs: dict[str, Run] = {run.name: run for suite in suites for run in load_suite(suite)}
    body = {"suites": suites, "runs": list(runs), **_stages(list(runs.values()))}
    return _HEADER.format(names=" ".join(suites)) + yaml.safe_dump(body, sort_keys=False)


def _stages(runs: list[Run]) -> dict[str, Any]:
    datasets = {name: load_dataset_entry(name) for name in sorted({r.dataset for r in runs})}
    return {
        "downloaded": [name for name, entry in datasets.items() if entry.archives],
        "generated": [n for n, entry in datasets.items() if not entry.archives and entry.settings],
        "registered": [
            n
            for n, entry in datasets.items()
            if not entry.archives and not entry.settings and not entry.own
        ],
        "own": [name for name, entry in datasets.items() if entry.own],
        "released": sorted({weights for run in runs for weights in _fetched(run)}),
        "trained": {
            run.name: {"dataset": run.dataset, "begins_with": _begins_with(run)}
            for run in runs
            if run.recipe and not run.is_own
        },
        "own_trained": {
            run.name: {"dataset": run.dataset, "source": run.source_file}
            for run in runs
            if run.recipe and run.is_own
        },
        "evaluated": {
            f"{run.name}-{protocol}": _evaluated(run, protocol)
            for run in runs
            for protocol in run.evaluations()
        },
        "labelled": {
            f"{run.name}-{protocol}": _evaluated(run, protocol)
            for run in runs
            if run.keep_labels
            for protocol in run.evaluations()
        },
        "stressed": {
            f"{run.name}-{suite}": {
                "run": run.name,
                "suite": suite,
                "protocol": run.protocols[0],
                "dataset": run.dataset,
                "weights": run.weights_folder,
            }
            for run in runs
            for suite in run.robustness
        },
    }


def _fetched(run: Run) -> Iterator[str]:
    """Entries of `params/weights.yaml` that a run needs."""
    if run.weights:
        yield run.weights
    if run.initial:
        yield run.initial


def _begins_with(run: Run) -> str:
    """The initial weights as DVC's input; where there are none, an input that it has anyway."""
    if run.initial:
        return f"weights/released/{run.initial}"
    return f"reports/local/datasets/{run.dataset}.json"


def _evaluated(run: Run, protocol: str) -> dict[str, Any]:
    return {
        "run": run.name,
        "protocol": protocol,
        "dataset": run.dataset,
        "weights": run.weights_folder,
    }


def activate(suites: list[str]) -> Path:
    """Write `params/active.yaml` for some suites.

    Returns:
        the path written.

    Raises:
        SegmodelsError: a suite, run or anything a run names is unknown; nothing is written.
    """
    path = project_root() / "params" / "active.yaml"
    write_text(path, active_text(suites))
    return path


def load_active() -> Active:
    """Read `params/active.yaml` (SegmodelsError when it is broken)."""
    path = project_root() / "params" / "active.yaml"
    return read_entry(Active, str(path), read_yaml(path))


def check_active() -> None:
    """Compare `params/active.yaml` with the run files it was written from.

    Raises:
        SegmodelsError: they disagree; the message has the command that writes it again.
    """
    path = project_root() / "params" / "active.yaml"
    suites = list(load_active().suites)
    if read_yaml(path) != yaml.safe_load(active_text(suites)):
        raise SegmodelsError(
            f"{path} no longer matches params/runs and params/suites. "
            f"Write it again: segmodels suite {' '.join(suites)}"
        )
