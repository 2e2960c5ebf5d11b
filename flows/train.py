"""Train one run: ``python -m flows.parts train --run RUN``, with its curve in MLflow.

Without DVC: what the training needs is fetched or drawn first. A training that is cancelled, or
whose process is killed, goes on from its snapshot when it is asked for again.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.states import Cancelled, Completed, Failed

from flows import choices, tracking
from flows.devices import devices
from flows.in_process import AGAIN, Shown, StoppedError, project_at
from flows.reproduce import JOBS, Ending, bring_up_to_date, pipeline_flow, stopping
from segmodels.errors import SegmodelsError
from segmodels.runs.run import Run, load_run

if TYPE_CHECKING:
    from flows.tracking.curve import CurveLog
    from segmodels.training.curve import CurveRow


class Watched:
    """A curve that MLflow gets, and that moves the progress artifact on."""

    def __init__(self, curve: CurveLog, shown: Shown) -> None:
        self._curve, self._shown = curve, shown

    def __call__(self, point: CurveRow, steps: int) -> None:
        """Pass a point on; raises `StoppedError` once the flow run is ending."""
        self._curve(point, steps)
        self._shown(int(point["step"]), steps)


@task(name="inputs", **AGAIN)
def fetch_inputs(run: Run, stop: threading.Event) -> None:
    """The images that a run is trained on, and the weights that it begins with."""
    from segmodels import steps

    shown = Shown(f"{run.name}, images of {run.dataset}", stop)
    steps.ensure_dataset(run.dataset, shown)
    if run.initial:
        steps.fetch_released(run.initial)
    shown.end()


@task(name="train", **AGAIN)
def train_weights(run: Run, device: str, stop: threading.Event) -> dict[str, Any]:
    """The record of the training: what it kept, and why it ended."""
    from segmodels import steps
    from segmodels.core import paths
    from segmodels.core.files import read_json

    shown = Shown(f"{run.name}, training", stop, unit="steps")
    with tracking.training(run.name) as curve:
        options = steps.Options(device, curve=Watched(curve, shown))
        curve.made(steps.weights_path(steps.train_run(run.name, options)))
    return dict(read_json(paths.record(run.name, "train")))


def train(
    run: str | None = None,
    device: str | None = None,
    targets: list[str] | None = None,
    jobs: int = JOBS,
    root: str = ".",
) -> Ending:
    """Train a run, from its snapshot where there is one; or, without one, the active runs.

    Args:
        run: A file in params/runs that has a recipe, by its name without the ending.
        device: Where its network is trained, such as cpu or cuda:0; none as SEGMODELS_DEVICE says.
        targets: Without a run, the stages to bring up to date instead of all trainings.
        jobs: Without a run, how many stages at a time.
        root: The checkout; a dot is the folder that the flow runs in.
    """
    if run is None:
        return bring_up_to_date(root, targets, jobs, groups=("train", "own_train"))
    with project_at(root), stopping() as stop:
        try:
            asked = load_run(run)
            fetch_inputs(asked, stop)
            record = train_weights(asked, device or devices()[0], stop)
        except StoppedError as error:
            return Cancelled(message=str(error))
        except SegmodelsError as error:
            return Failed(message=str(error))
    kept = dict(record["kept"])
    create_table_artifact(key="training", table=[kept], description=f"{run}: {record['ended']}")
    return Completed(message=f"{run}: {record['ended']}, step {record['kept']['step']:.0f} kept")


FLOW = pipeline_flow(
    choices.typed(
        train,
        run=choices.one_of(choices.trainings) | None,
        device=choices.DEVICE | None,
        jobs=choices.AT_LEAST_ONE,
    )
)
