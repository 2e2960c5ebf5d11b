"""A training as an MLflow run: its curve live, its weights by their checksum."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from segmodels.training.curve import CurveRow


class CurveLog:
    """Sends points of a curve as they come; gives up for good at the first failure."""

    def __init__(self, run: str) -> None:
        self.client: MlflowClient | None = None
        with store.sink("training curve"):
            client = store.connect()
            place, tags = store.experiment(client, store.TRAINING), {"kind": "training", "run": run}
            self.run_id = client.create_run(place, run_name=run, tags=tags).info.run_id
            self.client = client

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

    def made(self, weights: Path) -> None:
        """Note the checksum of the weights that came out, so that they find their training."""
        from segmodels.steps import weights_digest

        found = weights_digest(weights)
        self._send(lambda client: client.set_tag(self.run_id, "weights_sha256", found))

    def end(self, status: str) -> None:
        """Close the MLflow run as FINISHED or FAILED."""
        self._send(lambda client: client.set_terminated(self.run_id, status))

    def _send(self, call: Callable[[MlflowClient], object]) -> None:
        if self.client is None:
            return
        with store.sink("training curve"):
            call(self.client)
            return
        self.client = None


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
