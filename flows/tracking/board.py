"""The leaderboard in MLflow: runs that hold what the rows hold, each logged once, kept current."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flows.tracking import dvc_experiment, store
from flows.tracking.curve import training_params
from flows.tracking.datasets import dataset_of, inputs
from flows.tracking.models import Models
from flows.tracking.registry import register
from flows.tracking.summary import log_summary
from flows.tracking.tracked_run import SUMMARY, TrackedRun, key_of, tracked_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from segmodels.leaderboard import Row

#: Tags that may vanish when a run is logged again; `status` is what earlier versions called
#: `verdict`. All others stay, those of MLflow and of people among them.
_VANISHING = ("status", "level", "reason", "claim", "claimant", "run", "protocol", "unit")


def log_rows(rows: list[Row], every: Callable[[], list[Row]] | None = None) -> None:
    """Make MLflow hold one run per piece of evidence or counted claim. Idempotent.

    Args:
        rows: what is new.
        every: judges the whole leaderboard, for an MLflow that was never told all of it: in a fresh
            clone the `leaderboard` stage is up to date and would never log it.
    """
    with store.sink("leaderboard rows"), store.alone("mlflow-rows"):
        store.tried_again(lambda: _log(rows, every))


def log_leaderboard(rows: list[Row]) -> None:
    """Log all rows there are: the runs, which runs are out of date, the registry, the summary.

    Not those of an experiment in a copy of the project, whose board is not the project's.
    """
    if dvc_experiment.is_copy():
        return
    with store.sink("leaderboard rows"), store.alone("mlflow-rows"):
        store.tried_again(lambda: _Board().log_all(rows))


def _log(rows: list[Row], every: Callable[[], list[Row]] | None) -> None:
    board = _Board()
    if dvc_experiment.is_copy():
        board.log_experiment(tracked_runs(rows))
    elif every is not None and not board.is_whole:
        board.log_all(every())
    else:
        board.log(tracked_runs(rows))


class _Board:
    """The experiment with the runs it holds, by key."""

    def __init__(self) -> None:
        self.client: MlflowClient = store.connect()
        self.experiment = store.experiment(self.client, store.EXPERIMENT)
        self.known, self.twins = self._look()
        self.made = False
        self.models = Models(self.client, self.experiment)

    def _look(self) -> tuple[dict[str, Any], list[Any]]:
        """The runs by key, and those that another machine made of the same key at the same moment.

        Of two with one key the older one stays, the same for every machine that looks.
        """
        known: dict[str, Any] = {}
        twins = []
        found = store.every(self.client.search_runs, [self.experiment], max_results=1000)
        for run in found:  # newest first
            if key := key_of(run.data.tags):
                twins += [known[key]] if key in known else []
                known[key] = run
        return known, twins

    @property
    def is_whole(self) -> bool:
        """Whether the whole leaderboard was told once: its summary comes last, and its digest."""
        return SUMMARY in self.known and "digest" in self.known[SUMMARY].data.tags

    def log_all(self, rows: list[Row]) -> None:
        found = tracked_runs(rows)
        self.log(found)
        self.retire({entry.key for entry in found})
        register(self.client, self.models, found)
        self.made |= SUMMARY not in self.known
        log_summary(self.client, self.experiment, self.known, rows)
        self.retire_twins()

    def log(self, entries: list[TrackedRun]) -> None:
        for entry in entries:
            known = self.known.get(entry.key)
            if known is None or not _is_logged(entry, known.data.tags):
                self._log(entry, known)

    def log_experiment(self, entries: list[TrackedRun]) -> None:
        """Log what trained weights gave and MLflow does not know, with the recipe that was tried.

        It is not current: that it becomes when the experiment is applied and the board tells it.
        """
        for entry in entries:
            if entry.key not in self.known and "trained" in entry.row.weights.origin:
                run = self._log(entry, None, {"current": "false"})
                tried = training_params(entry.row.run or "")
                new = [param for param in tried if param.key not in entry.params]
                self.client.log_batch(run, params=new)

    def _log(self, entry: TrackedRun, known: Any, besides: Mapping[str, str] | None = None) -> str:
        from mlflow.entities import Metric, Param, RunTag

        if known is None:
            self.made = True
            kind = {"kind": entry.row.subject.kind}
            tags = {**entry.identity, **kind, **dvc_experiment.tags()}
            known = self.client.create_run(self.experiment, run_name=entry.name, tags=tags)
        run, old = known.info.run_id, known.data
        model = self.models.of(entry) if entry.row.evidence_key else None
        self._attach(entry, known, model)
        # MLflow shows the latest value, so one that replaces another must be younger.
        about: dict[str, Any] = {"timestamp": int(1000 * time.time()), "step": 0, "model_id": model}
        if dataset := dataset_of(entry.row):
            about |= {"dataset_name": dataset.name, "dataset_digest": dataset.digest}
        metrics = entry.metrics_for(old.metrics)
        params = {key: value for key, value in entry.params.items() if key not in old.params}
        self.client.log_batch(
            run,
            [Metric(key, value, run_id=run, **about) for key, value in metrics.items()],
            [Param(key, value) for key, value in params.items()],
        )
        for key in _outdated(entry, old.tags):
            self.client.delete_tag(run, key)
        if known.info.run_name != entry.name:
            self.client.update_run(run, name=entry.name)
        if known.info.status != "FINISHED":
            self.client.set_terminated(run)
        # Tags go last, among them the digest: an interrupted run is logged again next time.
        told = {**entry.tags, **(besides or {})}
        self.client.log_batch(run, tags=[RunTag(key, value) for key, value in told.items()])
        return str(run)

    def _attach(self, entry: TrackedRun, known: Any, model: str | None) -> None:
        """Artifacts, the images as MLflow's dataset and the weights as its model."""
        run = known.info.run_id
        for name, table in entry.tables.items():
            self.client.log_dict(run, table, name)
        for name, page in entry.pages.items():
            self.client.log_text(run, page, name)
        for path in entry.files:
            self.client.log_artifact(run, str(path))
        if new := inputs(entry.row, model, known.inputs):
            self.client.log_inputs(run, **new)

    def retire(self, current: set[str]) -> None:
        """Mark runs that stand for no row any more; what they hold stays."""
        for key, run in self.known.items():
            is_ours = run.data.tags.get("kind") != "summary"
            if is_ours and key not in current and run.data.tags.get("current") != "false":
                self.client.set_tag(run.info.run_id, "current", "false")

    def retire_twins(self) -> None:
        """Mark runs of which there are two; whoever is the last to look sees all of them."""
        if self.made:
            self.known, self.twins = self._look()
        for run in self.twins:
            if run.data.tags.get("current") != "false":
                self.client.set_tag(run.info.run_id, "current", "false")


def _is_logged(entry: TrackedRun, tags: Mapping[str, str]) -> bool:
    return (tags.get("digest"), tags.get("current")) == (entry.tags["digest"], "true")


def _outdated(entry: TrackedRun, tags: Mapping[str, str]) -> list[str]:
    """Tags of an earlier logging that no longer hold."""
    return [key for key in tags if key in _VANISHING and key not in entry.tags]
