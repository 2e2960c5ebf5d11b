"""The commands of dvc.yaml: `python -m flows.stages STAGE NAME …`.

Each is one library call, logged to MLflow on the side. No Prefect here: a flow in
every stage would cost more than the stage. PyTorch is imported by the stages that need it.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch is imported. Threads that spin while they wait make a busy machine three times
# slower (benchmarks/threads.py); sleeping ones cost an idle machine nothing that shows.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from tqdm import tqdm

from flows import devices, tracking
from segmodels import steps
from segmodels.core import paths
from segmodels.core.exits import DONE, ended
from segmodels.core.settings import forced
from segmodels.errors import SegmodelsError
from segmodels.leaderboard import (
    main_files,
    rows_here,
    rows_of_run,
    where_to_look,
    write_local,
    write_published,
)
from segmodels.runs.suite import check_active

if TYPE_CHECKING:
    from segmodels.core.progress import Progress


def resolve() -> None:
    """Say for every other stage what it is asked to do, each in a file of its own."""
    print(f"{len(steps.write_asked())} stages are asked for in params/active.yaml.")


def download(dataset: str) -> None:
    """Fetch the archives of a dataset."""
    steps.download(dataset)


def prepare(dataset: str) -> None:
    """Unpack or draw a dataset and describe its content."""
    with _bar(dataset, "images") as progress:
        steps.prepare(dataset, progress)


def weights(name: str) -> None:
    """Fetch a released checkpoint."""
    steps.fetch_released(name)


def train(run: str) -> None:
    """Train the weights of a run, its curve live in MLflow; under torchrun the first sends it."""
    if os.environ.get("RANK", "0") != "0":
        steps.train_run(run, steps.Options(_device()))
        return
    with tracking.training(run) as log:
        log.made(steps.weights_path(steps.train_run(run, steps.Options(_device(), curve=log))))


def evaluate(run: str, protocol: str) -> None:
    """Count a run under a protocol, unless evidence of exactly this is here (or it is forced)."""
    with _bar(f"{run} {protocol}", "images") as progress, _counting(progress) as options:
        steps.evaluate_run(run, protocol, options)
    try:
        rows = rows_of_run(run)
        keys = {row.evidence_key for row in rows if row.run == run} - {None}
        tracking.log_rows([row for row in rows if row.evidence_key in keys], every=rows_here)
    except SegmodelsError as error:  # other evidence, perhaps being replaced this moment
        print(f"warning: MLflow has nothing of {run}: {error}", file=sys.stderr)


def labels(run: str, protocol: str) -> None:
    """Keep the label maps of a run under a protocol; counting them must give its evidence."""
    with _bar(f"{run} {protocol}", "images") as progress:
        steps.keep_maps(run, protocol, steps.Options(_device(), progress))


def robustness(run: str, suite: str) -> None:
    """Count a run under the conditions of a robustness suite that are not here (or forced)."""
    with _bar(f"{run} {suite}", "images") as progress, _counting(progress) as options:
        steps.stress_run(run, suite, options)


def efficiency() -> None:
    """Count what claims say about parameters and operations."""
    from segmodels.steps.costs import (
        count_wanted,  # PyTorch, for which preparing data does not wait
    )

    print(count_wanted().relative_to(paths.reports().parent))


def leaderboard() -> None:
    """Judge published evidence and render the leaderboard that is in git."""
    _print(write_published(pages=False))


def local_leaderboard() -> None:
    """Judge all evidence that is here, render a leaderboard of it and catch MLflow up."""
    rows = rows_here()
    _print(write_local(rows))
    tracking.log_leaderboard(rows)
    print(where_to_look())


def _print(written: list[Path]) -> None:
    for path in main_files(written):
        print(path.relative_to(paths.reports().parent))


def _device() -> str:
    """What the environment names; the first of several is that of a stage alone.

    Each process of torchrun on a machine has its own.
    """
    names = devices.devices()
    return names[int(os.environ.get("LOCAL_RANK", "0")) % len(names)]


def _counting(progress: Progress) -> AbstractContextManager[steps.Options]:
    """How a stage counts, with an engine if the environment names one."""
    from flows.engines import counting

    return counting(_device(), progress, forced())


@contextmanager
def _bar(title: str, unit: str) -> Iterator[Progress]:
    """Show a progress bar; yields the function that moves it."""
    with tqdm(desc=title, unit=f" {unit}", mininterval=2) as bar:

        def move(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield move


STAGES: dict[str, Callable[..., None]] = {
    stage.__name__: stage
    for stage in (
        resolve,
        download,
        prepare,
        weights,
        train,
        evaluate,
        labels,
        robustness,
        efficiency,
        leaderboard,
        local_leaderboard,
    )
}


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; returns one of the codes of `segmodels.core.exits`, with one line unless
    done."""
    return ended(lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m flows.stages", description=__doc__)
    parser.add_argument("stage", choices=STAGES, help="one of dvc.yaml")
    parser.add_argument("names", nargs="*", help="what the stage works on, as dvc.yaml gives it")
    chosen = parser.parse_args(arguments)
    wanted = list(inspect.signature(STAGES[chosen.stage]).parameters)
    if len(chosen.names) != len(wanted):
        parser.error(f"{chosen.stage} takes {' '.join(wanted).upper() or 'no name'}")
    Path.cwd()  # in a folder that is gone, importing torch would end the process without a word
    check_active()
    STAGES[chosen.stage](*chosen.names)
    return DONE


if __name__ == "__main__":
    raise SystemExit(main())
