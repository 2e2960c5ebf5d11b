"""MLflow, the memory: a sink that never stops a run and can be rebuilt from evidence.

`MLFLOW_TRACKING_URI` is respected; without it a SQLite file `mlflow.db` in the project holds
everything. Whatever goes wrong here is one warning: evidence is on disk, and the
next `leaderboard` stage brings MLflow up to date.

What MLflow holds: one run per piece of evidence and one per claim that was counted without
any, a run `leaderboard` that sums up, the images as MLflow datasets, the weights as logged
models and registered versions, and the training curves in an experiment of their own.
"""

from __future__ import annotations

from flows.tracking.board import log_leaderboard, log_rows
from flows.tracking.curve import training
from flows.tracking.store import EXPERIMENT, TRAINING, default_uri

__all__ = [
    "EXPERIMENT",
    "TRAINING",
    "default_uri",
    "log_leaderboard",
    "log_rows",
    "training",
]
