"""Joining the other processes that torchrun started."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch.distributed as dist


def join(backend: str, patience: timedelta) -> None:
    """Connect with all other processes, also after torchrun began them again.

    torchrun's server of addresses outlives a restart: without a place of its own for every
    attempt, a process may find addresses of the attempt before, where nobody listens any more.
    """
    module: Any = dist  # which exports these without saying so
    store, rank, number = next(module.rendezvous("env://", timeout=patience))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    own = module.PrefixStore(f"attempt-{attempt}", store)
    dist.init_process_group(backend, store=own, rank=rank, world_size=number, timeout=patience)
