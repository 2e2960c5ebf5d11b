"""The stale stages as Prefect tasks, as many at a time as asked for."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State, get_run_logger, tags, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Cancelled

from flows import dvc_stages
from flows.devices import Pool
from flows.dvc_stages import Outcome, Stage
from flows.exchange import GROUPS, Exchange
from flows.turns import SHORTEST_LEASE_SECONDS, turn

GPU_GROUPS = frozenset({"train", "own_train", "evaluate", "labels", "robustness"})
GPU_TAG = "gpu"
MAX_JOBS = 64
RETRY_SECONDS = 10.0
SLOT_TRY_SECONDS = 5.0
BUSY_WAIT_SECONDS = 5.0
TURN_WAIT_SECONDS = 3.0


#: A stage, its outcome and its seconds.
StageRow = dict[str, str | float]


@dataclass(frozen=True)
class Work:
    """What every stage of one flow run is run with."""

    root: Path
    stop: threading.Event
    force: bool = False
    timeout_seconds: float | None = None
    busy_patience_seconds: float = 24 * 3600.0
    gpu_limit: str | None = None
    devices: Pool | None = None
    exchange: Exchange | None = None
    places: threading.Semaphore | None = None

    def reproduce(self, stage: Stage) -> Outcome:
        """Bring one stage up to date; where workers exchange, by taking over what one of them did.

        While another worker is at it, its place is left to other stages.
        """
        while True:
            with self._place():
                if self.exchange is None or stage.group not in GROUPS:
                    return self._run(stage)
                with self.exchange.turn(stage) as ours:
                    if ours:
                        return self._exchanged(self.exchange, stage)
            self._sleep(TURN_WAIT_SECONDS)

    def _exchanged(self, exchange: Exchange, stage: Stage) -> Outcome:
        """Take a stage over or run it, and hand it on unless that was done."""
        if exchange.take(stage):
            get_run_logger().info("%s was taken over and not run.", stage.name)
            outcome = Outcome.FETCHED
        else:
            outcome = self._run(stage)
        # Also what an earlier try ran and could not push.
        exchange.give([stage], ran=outcome is not Outcome.FETCHED)
        return outcome

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places for stages at a time, where more tasks than that are begun."""
        if self.places is None:
            yield
            return
        while not self.places.acquire(timeout=SLOT_TRY_SECONDS):
            self._sleep(0.0)
        try:
            yield
        finally:
            self.places.release()

    def _run(self, stage: Stage) -> Outcome:
        """Have DVC bring one stage up to date; wait for the GPU, and for whoever is at it.

        Raises:
            StageFailedError: the stage failed or ran out of time.
            StageBusyError: somebody else stayed at it longer than we are ready to wait.
            StageStoppedError: this flow run is ending.
        """
        log = get_run_logger()
        deadline = time.monotonic() + self.busy_patience_seconds
        while True:
            try:
                with self._gpu_slot(stage), self._device(stage) as device:
                    return dvc_stages.reproduce_stage(
                        self.root,
                        stage.name,
                        force=self.force,
                        timeout=self.timeout_seconds,
                        on_line=log.info,
                        stop=self.stop,
                        device=device,
                    )
            except dvc_stages.StageBusyError:
                if time.monotonic() > deadline:
                    raise
                log.info("Another process is at %s; waiting for it.", stage.name)
                self._sleep(BUSY_WAIT_SECONDS)

    @contextmanager
    def _gpu_slot(self, stage: Stage) -> Iterator[None]:
        """Hold one slot of the GPU limit, if there is one and the stage wants it."""
        if self.gpu_limit is None or stage.group not in GPU_GROUPS:
            yield
            return
        log, waits = get_run_logger(), False
        while True:
            with turn(self.gpu_limit, log, SHORTEST_LEASE_SECONDS) as ours:
                if ours:
                    yield
                    return
            if not waits:
                log.info("All slots of the limit %r are taken; waiting.", self.gpu_limit)
            waits = True
            self._sleep(SLOT_TRY_SECONDS)

    @contextmanager
    def _device(self, stage: Stage) -> Iterator[str | None]:
        """A device of its own for a stage that runs a network, where there is a choice."""
        if self.devices is None or stage.group not in GPU_GROUPS:
            yield None
            return
        with self.devices.device() as device:
            get_run_logger().info("%s runs on %s.", stage.name, device)
            yield device

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise dvc_stages.StageStoppedError("Stopped while waiting.")


@task(name="stage", task_run_name="{stage.name}", cache_policy=NO_CACHE)
def run_stage(stage: Stage, work: Work, ask: bool) -> Outcome | State[Any]:
    """Bring one stage up to date; without ``ask``, DVC's answer is known already."""
    try:
        return work.reproduce(stage) if ask else Outcome.UNCHANGED
    except dvc_stages.StageStoppedError as error:
        return Cancelled(message=str(error))


def may_pass(task: object, task_run: object, state: State[Any]) -> bool:
    """Whether a failed stage may do better when it is tried again: not with wrong input."""
    del task, task_run
    return not isinstance(state.data, dvc_stages.StageRefusedError)


class StageRunner:
    """Runs the stale stages: submits those that are ready, a few at a time."""

    def __init__(self, plan: Sequence[Stage], work: Work, jobs: int, retries: int) -> None:
        self.work = work
        # Tasks that wait for another worker take no place; then all that are ready are begun.
        self.jobs = MAX_JOBS if work.places else min(max(jobs, 1), MAX_JOBS)
        self.task = run_stage.with_options(
            retries=retries, retry_delay_seconds=RETRY_SECONDS, retry_condition_fn=may_pass
        )
        self.stages = {stage.name: stage for stage in plan}
        self.waiting = list(plan)
        self.started: dict[str, float] = {}
        self.futures: dict[str, PrefectFuture[Any]] = {}
        self.rows: dict[str, StageRow] = {}
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def run(self) -> list[StageRow]:
        """Run them all, or until asked to stop; a failure stops its descendants only."""
        progress = create_progress_artifact(0.0, description=f"0 of {len(self.stages)} stages")
        while self._submit_ready():
            name = self.ended.get()
            self.rows[name] = self._row(name)
            assert isinstance(progress, UUID)
            update_progress_artifact(
                progress,
                100.0 * len(self.rows) / len(self.stages),
                description=f"{len(self.rows)} of {len(self.stages)} stages",
            )
        skipped: StageRow = {"outcome": "skipped", "seconds": 0.0}
        return [self.rows.get(name, {"stage": name, **skipped}) for name in self.stages]

    def _submit_ready(self) -> bool:
        """Fill the free places; false when nothing runs and nothing more will."""
        ready = [stage for stage in self.waiting if self._is_ready(stage)]
        free = self.jobs - (len(self.futures) - len(self.rows))
        for stage in ready[: 0 if self.work.stop.is_set() else free]:
            self.waiting.remove(stage)
            self._submit(stage)
        return len(self.rows) < len(self.futures)

    def _upstream(self, stage: Stage) -> list[str]:
        return [name for name in stage.upstream if name in self.stages]

    def _is_ready(self, stage: Stage) -> bool:
        return all(name in self.rows for name in self._upstream(stage))

    def _submit(self, stage: Stage) -> None:
        upstream = self._upstream(stage)
        self.started[stage.name] = time.monotonic()
        labels = [stage.group, "segmodels", *([GPU_TAG] if stage.group in GPU_GROUPS else [])]
        with tags(*labels):
            future = self.task.submit(
                stage,
                self.work,
                self._must_ask(stage, upstream),
                wait_for=[self.futures[name] for name in upstream],
                return_state=False,
            )
        self.futures[stage.name] = future
        threading.Thread(target=self._wait_for, args=(stage.name, future), daemon=True).start()

    def _wait_for(self, name: str, future: PrefectFuture[Any]) -> None:
        try:
            future.wait()
        finally:
            self.ended.put(name)

    def _must_ask(self, stage: Stage, upstream: Sequence[str]) -> bool:
        """Spare DVC the question where nothing above an unchanged stage was rewritten."""
        above = [(self.stages[name], self.rows[name]["outcome"]) for name in upstream]
        return (
            self.work.force
            or stage.changed
            or any(other.changed or outcome != Outcome.UNCHANGED for other, outcome in above)
        )

    def _row(self, name: str) -> StageRow:
        state = self.futures[name].state
        if state.is_completed():
            outcome = str(self.futures[name].result())
        elif state.is_cancelled():
            outcome = "cancelled"
        else:
            outcome = "skipped" if state.is_pending() else "failed"
        seconds = round(time.monotonic() - self.started[name], 1)
        return {"stage": name, "outcome": outcome, "seconds": seconds}
