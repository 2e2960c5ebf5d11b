"""A training as an MLflow run: its curve, pictures and machine live, its weights by checksum."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from flows.tracking import dvc_experiment, store
from segmodels.core import paths
from segmodels.core.files import read_json
from segmodels.errors import SegmodelsError
from segmodels.runs.run import load_run
from segmodels.training.reading import load_recipe

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Param
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    from segmodels.training.curve import CurveRow


class CurveLog:
    """Sends points of a curve as they come; gives up for good at the first failure."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.client: MlflowClient | None = None
        self.monitor: SystemMetricsMonitor | None = None
        with store.sink("training curve"):
            client = store.connect()
            place = store.experiment(client, store.TRAINING)
            tags = {"kind": "training", "run": run, **dvc_experiment.tags()}
            self.run_id = client.create_run(place, run_name=run, tags=tags).info.run_id
            client.log_batch(self.run_id, params=training_params(run))
            self.client = client
            self.monitor = _monitor(self.run_id)

    def __call__(self, point: CurveRow, steps: int) -> None:
        """Print a point of the curve and send it."""
        words = ", ".join(f"{key} {value:.4g}" for key, value in point.items() if key != "step")
        print(f"step {point['step']:.0f}/{steps}: {words}", flush=True)
        self._send(lambda client: self._log(client, point))

    def _log(self, client: MlflowClient, point: CurveRow) -> None:
        from mlflow.entities import Metric

        step, now = int(point["step"]), int(1000 * time.time())
        finite = {k: v for k, v in point.items() if k != "step" and math.isfinite(v)}
        values = [Metric(key, value, now, step) for key, value in finite.items()]
        client.log_batch(self.run_id, values)
        if (picture := paths.samples(self.run)).is_file():
            from PIL import Image

            with Image.open(picture) as image:
                client.log_image(self.run_id, image, key="samples", step=step, synchronous=True)

    def made(self, weights: Path) -> None:
        """Note the checksum of the weights that came out, so that they find their training.

        And of which step they are, and why the training ended there.
        """
        self._send(lambda client: self._tag(client, weights))

    def _tag(self, client: MlflowClient, weights: Path) -> None:
        from segmodels.steps import weights_digest

        client.set_tag(self.run_id, "weights_sha256", weights_digest(weights))
        record = read_json(paths.record(self.run, "train"))
        client.set_tag(self.run_id, "kept_step", f"{record['kept']['step']:.0f}")
        client.set_tag(self.run_id, "ended", record["ended"])

    def end(self, status: str) -> None:
        """Close the MLflow run as FINISHED or FAILED."""
        if self.monitor is not None:
            with store.sink("system metrics"):
                self.monitor.finish()  # type: ignore[no-untyped-call]
        self._send(lambda client: client.set_terminated(self.run_id, status))

    def _send(self, call: Callable[[MlflowClient], object]) -> None:
        if self.client is None:
            return
        with store.sink("training curve"):
            call(self.client)
            return
        self.client = None


def training_params(run: str) -> list[Param]:
    """What a training is of, so that several can be compared; nothing of a run that is none."""
    from mlflow.entities import Param

    with suppress(SegmodelsError):
        known = load_run(run)
        if known.recipe is not None:
            about = {"model": known.model, "dataset": known.dataset, "seed": known.seed}
            recipe = {f"recipe.{k}": v for k, v in load_recipe(known.recipe).to_dict().items()}
            named = {**about, "recipe": recipe.pop("recipe.name"), **known.overrides, **recipe}
            return [Param(name, str(value)[:500]) for name, value in named.items()]
    return []


def _monitor(run_id: str) -> SystemMetricsMonitor | None:
    """MLflow's own thread that logs load, memory, disk, network and GPUs every ten seconds.

    None without psutil, which it needs, or where it is switched off as MLflow does that.
    """
    asked = os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower()
    if find_spec("psutil") is None or asked in ("false", "0"):
        return None
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    monitor = SystemMetricsMonitor(run_id)  # type: ignore[no-untyped-call]
    monitor.start()  # type: ignore[no-untyped-call]
    return monitor


@contextmanager
def training(run: str) -> Iterator[CurveLog]:
    """Log a training while it goes on; yields what takes its points and its weights."""
    curve = CurveLog(run)
    try:
        yield curve
    except BaseException:
        curve.end("FAILED")
        raise
    curve.end("FINISHED")
