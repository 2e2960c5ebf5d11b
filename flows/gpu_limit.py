"""Prefect's concurrency limit `gpu`: how many stages run networks on GPUs at a time."""

from __future__ import annotations

from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from flows.devices import visible_gpus

GPU_LIMIT = "gpu"  # at first the number of GPUs


def gpu_limit() -> str | None:
    """Name the concurrency limit for GPUs: the one there is, or a new one of a slot for each."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(GPU_LIMIT)
        except ObjectNotFound:
            if not visible_gpus():
                return None
            limit = GlobalConcurrencyLimitCreate(name=GPU_LIMIT, limit=visible_gpus())
            with suppress(ObjectAlreadyExists):
                client.create_global_concurrency_limit(limit)
    return GPU_LIMIT
