"""Count one run under one robustness suite: ``python -m flows.robustness --run RUN --suite SUITE``.

Without DVC, as `segmodels verify` works: what the run lacks is fetched, prepared or trained first,
and evidence that is here or published is taken. It all happens in the process of the flow run,
which therefore sees every image that is done.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.states import Cancelled, Completed, Failed

from flows import choices
from flows.devices import devices
from flows.engines import ENGINE, counting
from flows.in_process import AGAIN, Shown, StoppedError, project_at
from flows.reproduce import JOBS, Ending, bring_up_to_date, main, pipeline_flow, stopping
from segmodels import steps
from segmodels.errors import SegmodelsError
from segmodels.evidence import Evidence
from segmodels.metrics.robustness import Robustness, summarise
from segmodels.protocols.reading import load_protocol
from segmodels.runs.run import load_run


@task(
    name="inputs and clean evidence",
    **AGAIN,
)
def count_clean(run_name: str, engine: str | None, stop: threading.Event) -> Evidence:
    """Evidence of the undisturbed images, after what that needs."""
    run, options = load_run(run_name), steps.Options(devices()[0])
    steps.ensure_inputs(run, options)
    shown = Shown(f"{run_name}, undisturbed", stop)
    with counting(devices()[0], shown, engine=engine) as how:
        found = steps.evaluate_run(run_name, run.protocols[0], how)
    shown.end()
    return found


@task(
    name="count",
    **AGAIN,
)
def count_disturbed(
    run_name: str, suite: str, force: bool, engine: str | None, stop: threading.Event
) -> list[Evidence]:
    """Evidence of every condition of the suite."""
    shown = Shown(f"{run_name}, {suite}", stop)
    with counting(devices()[0], shown, force, engine) as options:
        found = steps.stress_run(run_name, suite, options)
    shown.end()
    return found


def table(found: Robustness) -> list[dict[str, str | float]]:
    """A line for each strength of each disturbance: mIoU, and the percentage that is kept."""
    return [
        {
            "disturbance": curve.name,
            "strength": point.level,
            "mIoU": round(point.miou, 2),
            "kept": "" if point.ratio is None else round(100 * point.ratio, 1),
        }
        for curve in found.curves
        for point in curve.points
    ]


def summary(run: str, suite: str, found: Robustness) -> str:
    """All of it in one line."""
    mean = "" if found.mean is None else f", mean over corruptions {found.mean:.2f}"
    return f"{run} under {suite}: clean {found.clean:.2f}{mean} mIoU"


def count_run(run: str, suite: str, force: bool, engine: str | None) -> Ending:
    """Count, show and sum up in the current flow run."""
    from segmodels.robustness.suite import load_stress_suite  # PyTorch, which other parts lack

    with stopping() as stop:
        try:
            load_stress_suite(suite)
            clean = count_clean(run, engine, stop)
            disturbed = count_disturbed(run, suite, force, engine, stop)
        except StoppedError as error:
            return Cancelled(message=str(error))
        except SegmodelsError as error:
            return Failed(message=str(error))
        found = summarise(clean, disturbed, load_protocol(load_run(run).protocols[0]))
        text = summary(run, suite, found)
        create_table_artifact(key="robustness", table=table(found), description=text)
        return Completed(message=text)


def robustness(
    run: str | None = None,
    suite: str | None = None,
    root: str = ".",
    targets: list[str] | None = None,
    jobs: int = JOBS,
    force: bool = False,
    engine: str | None = None,
) -> Ending:
    """Measure a run under a robustness suite; or, without one, the active runs under theirs.

    Args:
        run: A file in params/runs, by its name without the ending.
        suite: A suite of params/robustness.yaml, such as quick or imagenet-c.
        root: The checkout; a dot is the folder that the flow runs in.
        targets: Without a run, the stages to bring up to date instead of all of robustness.
        jobs: Without a run, how many stages at a time.
        force: Count again what is here already.
        engine: With a run, who counts: processes, dask or ray; none as SEGMODELS_ENGINE says.
    """
    if run is None and suite is None:
        return bring_up_to_date(root, targets, jobs, groups=("robustness",), force=force)
    if run is None or suite is None:
        lacking = "run" if run is None else "suite"
        return Failed(message=f"Name a run and a suite, or neither; the {lacking} is missing.")
    with project_at(root):
        return count_run(run, suite, force, engine)


FLOW: Any = pipeline_flow(
    choices.typed(
        robustness,
        run=choices.one_of(choices.runs) | None,
        suite=choices.one_of(choices.stress_suites) | None,
        jobs=choices.AT_LEAST_ONE,
        engine=ENGINE | None,
    )
)


def program(arguments: Iterable[str]) -> int:
    """Run it from the command line; returns the exit code."""
    return main(FLOW, list(arguments), "flows.robustness")


if __name__ == "__main__":
    raise SystemExit(program(sys.argv[1:]))
