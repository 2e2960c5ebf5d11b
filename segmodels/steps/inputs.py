"""Whatever a run still lacks before it can be evaluated."""

from __future__ import annotations

from collections.abc import Sequence

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


def ensure_dataset(
    dataset: str, progress: Progress | None = None, needed: Sequence[str] = ()
) -> None:
    """Fetch and prepare a dataset unless it is there and as `params/datasets.yaml` says.

    A user's own files may have changed since; what did not is not decoded again. All their splits
    are looked at, as training images among those that are measured on would flatter a number; a
    fault in one that is not needed is noted.

    Args:
        dataset: its name.
        progress: called after every sample that had to be decoded.
        needed: splits of a user's own dataset that must be without fault; empty for all.
    """
    own = load_dataset_entry(dataset).own
    if own and is_as_described(dataset, progress, needed):
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
    prepare(dataset, progress, needed)


def ensure_inputs(run: Run, options: Options = USUAL) -> None:
    """Fetch, prepare and train whatever the run still lacks."""
    trained = () if run.weights or run.comes_with_weights else ("train", "val")
    ensure_dataset(run.dataset, options.progress, (run.split, *trained))
    if run.weights:
        fetch_released(run.weights)
    elif not run.comes_with_weights and not trained_as_asked(run):
        train_run(run.name, options)
