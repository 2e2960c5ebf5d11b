"""Which engine is asked for, by options or by the environment, and opening it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from segmodels.core.environment import cores
from segmodels.engines.engine import Engine
from segmodels.errors import SegmodelsError, UnknownNameError

ENGINE = "SEGMODELS_ENGINE"
ADDRESS = "SEGMODELS_ENGINE_ADDRESS"
SHARDS = "SEGMODELS_SHARDS"

ENGINES = ("processes", "dask", "ray", "torchrun")
_WITH_ADDRESS = ("dask", "ray")


@dataclass(frozen=True)
class EngineChoice:
    """Which engine.

    Attributes:
        name: one of `ENGINES`.
        address: of a cluster that runs; None for one of this machine's processes.
        shards: into how many pieces a split is cut; None for as many as there are workers.
    """

    name: str
    address: str | None = None
    shards: int | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise UnknownNameError("engine", self.name, ENGINES)
        if self.address and self.name not in _WITH_ADDRESS:
            raise SegmodelsError(
                f"--engine-address {self.address} is for {' and '.join(_WITH_ADDRESS)}; engine "
                f"{self.name!r} has none."
            )
        if self.shards is not None and self.shards < 1:
            raise SegmodelsError(f"--shards {self.shards}: expected a number of parts, 1 or more.")


def asked_for(
    name: str | None = None, address: str | None = None, shards: int | None = None
) -> EngineChoice | None:
    """The engine that options name; what they leave out is as the environment says.

    Returns:
        None where work is done in this process.

    Raises:
        SegmodelsError: there is no such engine, or something is said of none.
    """
    named = name or os.environ.get(ENGINE)
    address = address or os.environ.get(ADDRESS)
    number = os.environ.get(SHARDS, "") if shards is None else str(shards)
    if number and not number.isdecimal():
        raise SegmodelsError(f"{SHARDS}={number} is no number of parts, 1 or more.")
    if named:
        return EngineChoice(named, address or None, int(number) if number else None)
    if address or number:
        raise SegmodelsError(
            f"an address or a number of shards is for an engine: name one with --engine or "
            f"{ENGINE}: {', '.join(ENGINES)}."
        )
    return None


@contextmanager
def opened(choice: EngineChoice, device: str) -> Iterator[Engine]:
    """The engine, for a while.

    Args:
        choice: which.
        device: where networks run: on GPUs each worker has one of its own.

    Raises:
        SegmodelsError: its package is not installed, or nothing is at its address.
    """
    engine = _open(choice, device.startswith("cuda"))
    try:
        yield engine
    finally:
        engine.close()


def _open(choice: EngineChoice, gpus: bool) -> Engine:
    workers = _workers_here(gpus)
    try:
        if choice.name == "dask":
            from segmodels.engines.dask_cluster import DaskEngine

            return DaskEngine(choice.address, workers)
        if choice.name == "ray":
            from segmodels.engines.ray_cluster import RayEngine

            return RayEngine(choice.address, workers, gpus)
    except ModuleNotFoundError as error:
        raise SegmodelsError(
            f"engine {choice.name!r} needs the package {error.name!r}: "
            f"pip install 'segmodels[{choice.name}]'"
        ) from None
    if choice.name == "torchrun":
        from segmodels.engines.torchrun import TorchrunEngine

        return TorchrunEngine()
    from segmodels.engines.processes import ProcessEngine

    return ProcessEngine(min(workers, choice.shards or workers))


def _workers_here(gpus: bool) -> int:
    """One for each GPU, or for each core."""
    if not gpus:
        return cores()
    import torch

    return max(1, torch.cuda.device_count())
