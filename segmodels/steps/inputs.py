"""Whatever a run still lacks before it can be evaluated."""

from __future__ import annotations

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.progress import Progress
from segmodels.datasets.described import description, description_path
from segmodels.datasets.fingerprint import check_expected
from segmodels.datasets.prepare import is_as_described
from segmodels.datasets.registration import registered
from segmodels.datasets.registry import data_folder
from segmodels.errors import SegmodelsError
from segmodels.runs.run import Run
from segmodels.steps.data import download, prepare
from segmodels.steps.options import USUAL, Options
from segmodels.steps.weights import fetch_released, train_run, trained_as_asked


def ensure_dataset(dataset: str, progress: Progress | None = None) -> None:
    """Fetch and prepare a dataset unless it is there and as `params/datasets.yaml` says.

    A user's own files may have changed since; what did not is not decoded again.
    """
    own = load_dataset_entry(dataset).own
    if own and is_as_described(dataset, progress):
        check_expected(load_dataset_entry(dataset), description(dataset))
        return
    if not own and data_folder(dataset).is_dir() and description_path(dataset).is_file():
        try:
            check_expected(load_dataset_entry(dataset), description(dataset))
        except SegmodelsError:  # prepared before the entry was changed
            pass
        else:
            return
    if load_dataset_entry(dataset).archives and not registered(dataset):
        download(dataset)
    prepare(dataset, progress)


def ensure_inputs(run: Run, options: Options = USUAL) -> None:
    """Fetch, prepare and train whatever the run still lacks."""
    ensure_dataset(run.dataset, options.progress)
    if run.weights:
        fetch_released(run.weights)
    elif not run.comes_with_weights and not trained_as_asked(run):
        train_run(run.name, options)
