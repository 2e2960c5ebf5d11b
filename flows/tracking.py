"""MLflow, the memory: a sink that never stops a run and can be rebuilt from evidence.

`MLFLOW_TRACKING_URI` is respected; without it a SQLite file `mlflow.db` in the project holds
everything. Whatever goes wrong here is said once and forgotten: evidence is on disk, and the
next `leaderboard` stage brings MLflow up to date, one MLflow run per evidence key.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segmodels import layout
from segmodels.files import digest, sha256_of_file
from segmodels.settings import cache_dir, project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from segmodels.leaderboard import Row
    from segmodels.train import Point
    from segmodels.train import Progress as TrainProgress

EXPERIMENT = "segmodels"
TRAINING = "segmodels-training"

#: The columns MLflow's page shows with `?viewStateShareKey=leaderboard` in its address. The tag
#: is how MLflow itself keeps a shared view; where it is not understood, nothing else changes.
_VIEW = {
    "selectedColumns": [
        "metrics.`claimed`",
        "metrics.`verified`",
        "metrics.`gap`",
        "tags.`status`",
        "tags.`level`",
        "tags.`protocol`",
    ],
    "orderByKey": "metrics.`claimed`",
    "orderByAsc": False,
    "searchFilter": "",
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "modelVersionFilter": "All Runs",
    "datasetsFilter": [],
}

_EXPERIMENTS: dict[str, dict[str, str]] = {
    EXPERIMENT: {"mlflow.sharedViewState.leaderboard": json.dumps(_VIEW)},
    TRAINING: {},
}

# Read by MLflow when it is imported. Its own retries would hang four minutes on a dead server.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}


def default_uri() -> str:
    """Where MLflow writes when nobody says otherwise."""
    return f"sqlite:///{project_root() / 'mlflow.db'}"


@contextmanager
def training(run: str) -> Iterator[TrainProgress]:
    """Log a training curve while it grows; yields the function that takes its points."""
    log = _TrainingLog(run)
    try:
        yield log
    except BaseException:
        log.end("FAILED")
        raise
    log.end("FINISHED")


def log_rows(rows: list[Row]) -> None:
    """Make MLflow hold one run per piece of evidence, as the rows judge it. Idempotent."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        if row.evidence:
            by_key.setdefault(row.evidence, []).append(row)
    with _sink("leaderboard rows"):
        client = _client()
        experiment = _experiment(client, EXPERIMENT)
        known = _known(client, experiment)
        for key, group in by_key.items():
            _log_evidence(client, experiment, known.get(key), sorted(group, key=_claims_first))


def _claims_first(row: Row) -> bool:
    return row.claim is None


def _log_evidence(client: MlflowClient, experiment: str, known: Any, rows: list[Row]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    row, figure = rows[0], _figure(rows)
    tags = _tags(row, rows, figure)
    if known is not None and known.data.tags.get("digest") == tags["digest"]:
        return
    if known is None:
        name = row.claim or f"{row.run} {row.protocol}"
        known = client.create_run(experiment, run_name=name, tags={"evidence": tags["evidence"]})
    run_id = known.info.run_id
    # MLflow shows the latest value, so one that replaces another must be younger.
    now = int(1000 * time.time())
    metrics = [Metric(key, value, now, 0) for key, value in _metrics(rows).items()]
    new = {key: value for key, value in _params(row).items() if key not in known.data.params}
    client.log_batch(run_id, metrics, [Param(key, str(value)) for key, value in new.items()])
    client.log_dict(run_id, _per_class(row), "per_class.json")
    for path in (figure, _evidence_file(row)):
        if path is not None:
            client.log_artifact(run_id, str(path))
    # The digest goes last: a run that was interrupted before it is written again next time.
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.set_terminated(run_id)


def _metrics(rows: list[Row]) -> dict[str, float]:
    """What is not known is left out, so that MLflow shows a dash and not a zero."""
    row = rows[0]
    low, high = row.interval or (None, None)
    named: dict[str, float | None] = {
        "claimed": row.claimed,
        "verified": row.verified,
        "gap": row.gap,
        "interval_low": low,
        "interval_high": high,
        "pixel_accuracy": row.pixel_accuracy,
        "mean_accuracy": row.mean_accuracy,
        "images": row.images,
    }
    if row.robustness:
        named |= {
            "corrupted_mean": row.robustness.mean,
            "corrupted_ratio": row.robustness.ratio,
        }
    named |= {f"verified.{other.protocol}": other.verified for other in rows[1:]}
    return {key: float(value) for key, value in named.items() if value is not None}


def _params(row: Row) -> dict[str, Any]:
    return {
        "model": row.model,
        "dataset": row.dataset,
        "split": row.split,
        **{
            f"inference.{key}": value for key, value in row.protocol_fields.items() if key != "void"
        },
    }


def _tags(row: Row, rows: list[Row], figure: Path | None) -> dict[str, str]:
    tags = {
        "kind": "claim" if row.claim else "measurement",
        "status": row.verdict,
        "level": row.level or "",
        "reason": row.reason,
        "claim": row.claim or "",
        "run": row.run or "",
        "protocol": ", ".join(r.protocol for r in rows),
        "evidence": row.evidence or "",
        "weights_sha256": row.weights or "",
        "dataset_fingerprint": row.fingerprint or "",
        "evaluator": str(row.evaluator),
        "mlflow.loggedArtifacts": json.dumps([{"path": "per_class.json", "type": "table"}]),
        "figure_sha256": sha256_of_file(figure) if figure else "",
        **{f"software.{name}": version for name, version in row.software.items()},
    }
    return {**tags, "digest": digest([tags, _metrics(rows), row.per_class])}


def _per_class(row: Row) -> dict[str, list[Any]]:
    """A table as MLflow's `log_table` writes it, which itself would append the second time."""
    return {"columns": ["class", "IoU"], "data": [list(line) for line in row.per_class.items()]}


def _figure(rows: list[Row]) -> Path | None:
    paths = (layout.figure(row.run, row.protocol) for row in rows if row.run)
    return next((path for path in paths if path.is_file()), None)


def _evidence_file(row: Row) -> Path | None:
    return layout.reports() / row.evidence_file if row.evidence_file else None


def _known(client: MlflowClient, experiment: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    token: str | None = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        found |= {run.data.tags["evidence"]: run for run in page if "evidence" in run.data.tags}
        token = page.token
        if not token:
            return found


class _TrainingLog:
    """Sends points of a curve as they come; gives up for good at the first failure."""

    def __init__(self, run: str) -> None:
        self.client: MlflowClient | None = None
        with _sink("training curve"):
            client = _client()
            created = client.create_run(
                _experiment(client, TRAINING), run_name=run, tags={"kind": "training", "run": run}
            )
            self.client, self.run_id = client, created.info.run_id

    def __call__(self, point: Point, steps: int) -> None:
        words = ", ".join(f"{key} {value:.4g}" for key, value in point.items() if key != "step")
        print(f"step {point['step']:.0f}/{steps}: {words}", flush=True)
        self._send(lambda client: self._log(client, point))

    def _log(self, client: MlflowClient, point: Point) -> None:
        from mlflow.entities import Metric

        step, now = int(point["step"]), int(1000 * time.time())
        finite = {k: v for k, v in point.items() if k != "step" and math.isfinite(v)}
        values = [Metric(key, value, now, step) for key, value in finite.items()]
        client.log_batch(self.run_id, values)

    def end(self, status: str) -> None:
        """Close the MLflow run as FINISHED or FAILED."""
        self._send(lambda client: client.set_terminated(self.run_id, status))

    def _send(self, call: Any) -> None:
        if self.client is None:
            return
        with _sink("training curve"):
            call(self.client)
            return
        self.client = None


@contextmanager
def _sink(what: str) -> Iterator[None]:
    """Whatever MLflow raises ends here, in one line."""
    try:
        yield
    except Exception as error:  # a sink must not stop the work it records
        text = " ".join(str(error).split())[:300]
        print(
            f"warning: MLflow took no {what} ({type(error).__name__}: {text}). The run goes on; "
            f"the next leaderboard stage catches up.",
            file=sys.stderr,
        )


def _client() -> MlflowClient:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri()
    mlflow.set_tracking_uri(uri)
    with _alone():  # the first client makes the database, and two at once would break it
        return mlflow.MlflowClient(uri)


@contextmanager
def _alone() -> Iterator[None]:
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "mlflow.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _experiment(client: MlflowClient, name: str) -> str:
    """The experiment's id, made once even when several processes come first together.

    All experiments are made at the first need, so that the one people look at is number 1.
    """
    with _alone():
        ids = {known: _made(client, known, tags) for known, tags in _EXPERIMENTS.items()}
    return ids[name]


def _made(client: MlflowClient, name: str, tags: dict[str, str]) -> str:
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    own = client.tracking_uri == default_uri()
    place = (project_root() / "mlartifacts" / name).as_uri() if own else None
    return str(client.create_experiment(name, artifact_location=place, tags=tags))
