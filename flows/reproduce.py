"""Bring the pipeline up to date as one Prefect flow run: ``python -m flows.reproduce``.

The flow asks DVC which stages are stale and runs each as a task, several at a time, by
having DVC reproduce that single stage. The result is that of ``dvc repro``; what Prefect
adds is what one can see and say: logs, states and artifacts per stage, a schedule,
retries, a timeout, a limit on the GPU, and Cancel.
"""

from __future__ import annotations

import argparse
import inspect
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, cast
from uuid import UUID

from prefect import Flow, State, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows import choices, dvc_stages, verdict_events
from flows.devices import Pool, devices
from flows.dvc_stages import Outcome
from flows.engines import CLUSTERS
from flows.exchange import exchanging
from flows.gpu_limit import gpu_limit
from flows.in_process import project_at
from flows.numbers import at_least, hours
from flows.planning import Asked, run_stages
from flows.schedule import asking_prefect, schedule, schedule_options
from flows.tasks import GPU_GROUPS, MAX_JOBS, StageRow, Work
from flows.termination import ending_in_order
from segmodels.core.exits import DONE, ERROR, ended
from segmodels.errors import SegmodelsError
from segmodels.runs.suite import activate

#: Stages at a time. Recipes take two threads, and two that share a core are slower than in turn.
JOBS = max(1, (os.cpu_count() or 2) // 2)
CANCEL_POLL_SECONDS = 2.0

Ending: TypeAlias = State[Any]
P = ParamSpec("P")


def pipeline_flow(function: Callable[P, Ending], name: str = "") -> Flow[P, Ending]:
    """Make a flow of a function, named after it, with room for as many tasks as are asked for.

    The types of its parameters must be built in: a runner that loads the file by its path
    resolves no other annotation.
    """
    runner = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=MAX_JOBS))
    return Flow(function, name=name or function.__name__, task_runner=runner)


def bring_up_to_date(
    root: str = ".",
    targets: list[str] | None = None,
    jobs: int = JOBS,
    *,
    groups: Sequence[str] = (),
    stage_timeout_hours: float | None = None,
    retries: int = 0,
    force: bool = False,
    exchange: bool = False,
) -> Ending:
    """Run the stale stages as tasks of the current flow run and say how it went.

    ``groups`` is what to bring up to date when there are no ``targets``; neither means all.
    """
    asked = Asked(targets or (), () if targets else groups, force)
    try:
        folder = dvc_stages.repository_root(root)
        known, plan = asked.plan(folder)
    except SegmodelsError as error:
        return Failed(message=str(error))
    get_run_logger().info("%d of %d stages to bring up to date.", len(plan), len(known))
    nothing: Ending = Completed(message=f"Nothing to do: all {len(known)} stages are up to date.")
    if not plan and not exchange:
        return nothing
    before = verdict_events.rows_of(folder)
    seconds = None if stage_timeout_hours is None else 3600 * stage_timeout_hours
    with stopping() as stop:
        limit = gpu_limit() if any(stage.group in GPU_GROUPS for stage in known) else None
        several = devices() if len(devices()) > 1 else ()
        try:
            shared = exchanging(folder, stop, known, plan, force) if exchange else None
        except SegmodelsError as error:
            return Failed(message=str(error))
        if not plan:  # but what was here is handed on
            return nothing
        work = Work(
            folder,
            stop,
            force=force,
            timeout_seconds=seconds,
            gpu_limit=limit,
            devices=Pool(several) if several else None,
            exchange=shared,
            places=threading.Semaphore(jobs) if shared else None,
        )
        rows = run_stages(asked, plan, work, jobs, retries)
        cancelled = stop.is_set()
    message = summary(rows)
    _publish(folder, rows, message)
    verdict_events.tell(verdict_events.changed(before, verdict_events.rows_of(folder)))
    if cancelled:
        return Cancelled(message=message)
    bad = any(row["outcome"] in ("failed", "skipped") for row in rows)
    return Failed(message=message) if bad else Completed(message=message)


def summary(rows: Sequence[StageRow]) -> str:
    """Count the outcomes in one line, naming the stages that have none of the good ones.

    >>> summary([{"stage": "train@a", "outcome": "failed", "seconds": 1.0}])
    '1 failed (train@a)'
    """
    parts = []
    for outcome in [*Outcome, "failed", "skipped", "cancelled"]:
        names = [str(row["stage"]) for row in rows if row["outcome"] == outcome]
        listing = "" if outcome in list(Outcome) else f" ({', '.join(names)})"
        parts += [f"{len(names)} {outcome}{listing}"] if names else []
    return ", ".join(parts)


def _publish(root: Path, rows: Sequence[StageRow], message: str) -> None:
    key = str(flow_run.flow_name)
    create_table_artifact(key=key, table=[dict(row) for row in rows], description=message)
    leaderboard = root / "reports" / "local" / "leaderboard.md"
    if leaderboard.is_file():
        create_markdown_artifact(key="leaderboard", markdown=leaderboard.read_text("utf-8"))


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that is set when this flow run is cancelled or the block is left.

    A runner or worker ends a cancelled run by SIGTERM, which Prefect raises as an
    exception here. A run in a plain process is ended by nobody: it has to look.
    """
    stop = threading.Event()
    if PREFECT_API_URL.value():
        target = copy_context().run
        threading.Thread(target=target, args=(_watch, flow_run.id, stop), daemon=True).start()
    try:
        yield stop
    finally:
        stop.set()


def _watch(run_id: str, stop: threading.Event) -> None:
    with get_client(sync_client=True) as client:
        while not stop.wait(CANCEL_POLL_SECONDS):
            try:
                state = client.read_flow_run(UUID(run_id)).state
            except Exception:  # the server may be restarting: ask again
                continue
            if state and (state.is_cancelling() or state.is_cancelled()):
                stop.set()


def _reproduce(
    suites: list[str] | None = None,
    targets: list[str] | None = None,
    jobs: int = JOBS,
    stage_timeout_hours: float | None = None,
    retries: int = 0,
    force: bool = False,
    exchange: bool = False,
    root: str = ".",
) -> Ending:
    """Bring the whole pipeline up to date, or the named targets and what they depend on.

    Args:
        suites: Suites of params/suites to make active first; none leaves those that are.
        targets: Stages, groups or patterns of dvc.yaml; none means all of it.
        jobs: Stages at a time.
        stage_timeout_hours: End a stage after so many hours.
        retries: Times to try a stage again; wrong input is never tried again.
        force: Run every stage, and count again what is here already.
        exchange: Share the stages with other workers that do the same now, each in a checkout of
            its own; results go through the DVC remote (docs/cluster.md).
        root: The checkout; a dot is the folder that the flow runs in.
    """
    if suites:
        try:
            with project_at(root):
                activate(suites)
        except SegmodelsError as error:
            return Failed(message=str(error))
    return bring_up_to_date(
        root,
        targets,
        jobs,
        stage_timeout_hours=stage_timeout_hours,
        retries=retries,
        force=force,
        exchange=exchange,
    )


_FORM: dict[str, Any] = {
    "suites": choices.several_of(choices.suites) | None,
    "jobs": choices.AT_LEAST_ONE,
    "stage_timeout_hours": choices.HOURS | None,
    "retries": choices.NOT_NEGATIVE,
}
reproduce = pipeline_flow(choices.typed(_reproduce, **_FORM), name="reproduce")


def main(
    target: Flow[..., Any],
    arguments: Sequence[str] | None = None,
    module: str = "flows.reproduce",
) -> int:
    """Run one of the flows from the command line, or serve it; return the exit code."""
    return ended(lambda: _run(target, arguments, module))


def _run(target: Flow[..., Any], arguments: Sequence[str] | None, module: str) -> int:
    parser = _parser(target, module)
    given = vars(parser.parse_args(arguments))
    serve, cron, zone = given.pop("serve"), given.pop("cron"), given.pop("timezone")
    timetable = schedule(parser, serve, cron, zone)
    with ending_in_order(), asking_prefect():
        if serve:
            target.serve(name="nightly", schedule=timetable, parameters=given)
            return DONE
        state: Any = target(**given, return_state=True)
    return DONE if state.is_completed() else ERROR


def _parser(target: Flow[..., Any], module: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=target.__doc__)
    options: dict[str, dict[str, Any]] = {
        "root": {"default": ".", "help": "the DVC repository (default: here)"},
        "targets": {"nargs": "+", "metavar": "STAGE", "help": "stage names, groups or patterns"},
        "jobs": {
            "type": at_least(1),
            "default": JOBS,
            "help": f"stages at a time (default here: {JOBS})",
        },
        "stage_timeout_hours": {"type": hours, "metavar": "H", "help": "end a stage after H hours"},
        "retries": {
            "type": at_least(0),
            "default": 0,
            "help": "times to retry a stage, not wrong input",
        },
        "force": {"action": "store_true", "help": "run every stage, and count again what is here"},
        "exchange": {
            "action": "store_true",
            "help": "share the stages with other workers, through the DVC remote",
        },
        "suites": {"nargs": "+", "metavar": "SUITE", "help": "suites to make active first"},
        "claims": {
            "nargs": "+",
            "metavar": "ID",
            "required": True,
            "help": "claims of params/claims",
        },
        "device": {
            "help": "where networks run: cpu, cuda:0, … (default: SEGMODELS_DEVICE, or cpu)"
        },
        "run": {"metavar": "RUN", "help": "a run of params/runs"},
        "engine": {
            "choices": CLUSTERS,
            "help": "who counts images (default: SEGMODELS_ENGINE, or this process)",
        },
        "suite": {"metavar": "SUITE", "help": "a suite of params/robustness.yaml"},
    }
    for name in inspect.signature(target.fn).parameters:
        parser.add_argument("--" + name.replace("_", "-"), **options[name])
    schedule_options(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main(reproduce))
