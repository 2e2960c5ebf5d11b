"""Workers of a Ray cluster (extra `ray`): one that runs, or one of this machine's processes."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import ray
from ray.exceptions import RayError, RayTaskError

from segmodels.engines.addresses import check_address
from segmodels.engines.engine import (
    TRIES,
    FutureEngine,
    Piece,
    Refused,
    Result,
    Work,
    done_or_refused,
)
from segmodels.errors import PassingError


class RayEngine(FutureEngine):
    """Ray's tasks, each with a GPU of its own if networks run on GPUs."""

    name = "ray"

    def __init__(self, address: str | None, workers: int, gpus: bool) -> None:
        if address and address != "auto":
            check_address(self.name, address, "host:6379, ray://host:10001 or auto")
        own: dict[str, Any] = {} if address else _own_cluster(workers)
        try:
            ray.init(address=address, logging_level="error", **own)
        except (ConnectionError, OSError, TimeoutError) as error:
            raise PassingError(
                f"no Ray cluster answers at --engine-address {address}: {error}"
            ) from None
        # As often as it begins a piece again itself, when the worker is lost.
        options: dict[str, Any] = {"max_retries": TRIES, "num_cpus": 1, "num_gpus": int(gpus)}
        self._task = ray.remote(done_or_refused).options(**options)
        found = ray.cluster_resources()
        self.workers = max(1, int(found.get("GPU" if gpus else "CPU", 1)))

    def submit(self, work: Work[Piece, Result], piece: Piece) -> Future[Result | Refused]:
        """Begin one piece."""
        future: Future[Result | Refused] = self._task.remote(work, piece).future()
        return future

    def lost(self, error: Exception) -> bool:
        """Whether Ray says that a worker or a machine is gone."""
        return isinstance(error, RayError) and not isinstance(error, RayTaskError)

    def close(self) -> None:
        """Let go of the cluster, which ends what was begun; one of our own ends."""
        ray.shutdown()


def _own_cluster(workers: int) -> dict[str, Any]:
    shares = {"env_vars": {"LOCAL_WORLD_SIZE": str(workers)}}
    return {"num_cpus": workers, "include_dashboard": False, "runtime_env": shares}
