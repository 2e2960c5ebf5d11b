"""How far a training has come: everything that a snapshot keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from segmodels.core.environment import arithmetic
from segmodels.errors import SegmodelsError
from segmodels.models.base import SegModel
from segmodels.training.curve import CurveRow
from segmodels.training.job import Job
from segmodels.training.network import first_network
from segmodels.training.optimizer import build_optimizer
from segmodels.training.processes import ALONE, Processes
from segmodels.training.snapshot import load_snapshot, save_snapshot
from segmodels.training.step import Outcome


class Best(TypedDict):
    """Weights that were better than all others on validation images."""

    step: int
    val_miou: float
    model: dict[str, Tensor]


@dataclass
class State:
    """A training between two steps.

    Attributes:
        model: with its weights.
        optimizer: with its moments.
        step: steps that were done.
        seen: of each step since the last point of the curve, as far as it was asked for: the
            losses of the heads, and the gradient's length.
        curve: its points.
        on_device: what came of each step since it was last asked for. It stays on the device:
            asking makes Python wait until all that was queued is done.
        saved_at: step of the last snapshot; None if there is none.
        average: moving average of the network, where the recipe wants one.
        best: of the weights that were looked at, where the recipe keeps the best.
        empty: the network without numbers, where they are shared out over processes.
    """

    model: SegModel
    optimizer: torch.optim.Optimizer
    step: int = 0
    seen: list[list[float]] = field(default_factory=list)
    curve: list[CurveRow] = field(default_factory=list)
    on_device: list[Outcome] = field(default_factory=list)
    saved_at: int | None = None
    average: AveragedModel | None = None
    best: Best | None = None
    empty: SegModel | None = None

    def result(self, device: str) -> SegModel:
        """The network that is looked at, and that comes out; all processes ask together.

        Args:
            device: where it is put if it has to be put together; else it is where it is trained.
        """
        model = self.model if self.average is None else cast("SegModel", self.average.module)
        return model if self.empty is None else _sharding().filled(self.empty, model, device)

    def keep_if_best(self, miou: float, model: SegModel) -> None:
        """Remember the weights that gave a mIoU on validation images, if none gave more."""
        if self.best is None or miou > self.best["val_miou"]:
            weights = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
            self.best = {"step": self.step, "val_miou": miou, "model": weights}

    def settle(self, processes: Processes) -> int | None:
        """Ask for the losses that are on the devices of all processes.

        Returns:
            the first step (0-based) with a loss or a gradient that is not finite; None if all are.
        """
        if not self.on_device:
            return None
        # Each process has its share of the losses, and all have the same gradient.
        losses = torch.stack([one.losses for one in self.on_device])
        norms = torch.stack([one.gradient_norm for one in self.on_device]) / processes.count
        found = processes.added(torch.cat([losses, norms[:, None]], dim=1)).tolist()
        self.on_device.clear()
        self.seen += found
        bad = (number for number, row in enumerate(found) if not all(map(math.isfinite, row)))
        number = next(bad, None)
        return None if number is None else self.step - len(found) + number


def begun(job: Job, processes: Processes = ALONE) -> State:
    """A training before its first step.

    Raises:
        SegmodelsError: the network cannot be made, or not on this device.
    """
    model = first_network(job)
    empty = _sharding().skeleton(model) if processes.sharded else None
    try:
        model.to(job.device)
    except (RuntimeError, AssertionError) as error:  # torch raises either without a GPU
        raise SegmodelsError(f"run {job.run!r} cannot train on {job.device!r}: {error}") from error
    average = _average(model, job.recipe.ema)
    processes.shard(model)
    if average is not None:
        processes.shard(cast("SegModel", average.module))
    return State(model, build_optimizer(model, job.recipe), average=average, empty=empty)


def _average(model: SegModel, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=partial(_move, decay), use_buffers=True)


def _move(
    decay: float, averages: Sequence[Tensor], values: Sequence[Tensor], _: int | Tensor
) -> None:
    """Move averages towards values; those that are shared out apart from those that are whole,
    as batch norms' statistics are, because no operation takes both.
    """
    move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    by_kind: dict[type, list[tuple[Tensor, Tensor]]] = {}
    for pair in zip(averages, values, strict=True):
        by_kind.setdefault(type(pair[0]), []).append(pair)
    for pairs in by_kind.values():
        move(*map(list, zip(*pairs, strict=True)), None)


def resumed(job: Job, snapshot: Path, processes: Processes) -> State:
    """A training as its last whole snapshot has it; before its first step if there is none."""
    # First: it says that a device is not there.
    fresh, here = begun(job, processes), arithmetic(job.device)
    # Others take what the first process reads, and the device would be that of the first.
    device = job.device if processes.count == 1 else "cpu"

    def checked(saved: dict[str, Any]) -> dict[str, Any]:
        _taken_up(begun(replace(job, device=device)), saved, job.steps)
        return saved

    saved = processes.from_first(lambda: load_snapshot(snapshot, here, device, checked))
    return fresh if saved is None else _taken_up(fresh, saved, job.steps)


def _taken_up(state: State, saved: dict[str, Any], steps: int) -> State:
    """The same at a snapshot; raises what torch does, or ValueError, if it is none of this one."""
    if type(saved["step"]) is not int or not 0 <= saved["step"] <= steps:
        raise ValueError("step")
    if state.empty is not None:
        networks = {"model": state.model, "average": state.average}
        saved = _sharding().content_shared_out(saved, networks, state.optimizer)
    state.model.load_state_dict(saved["model"])
    state.optimizer.load_state_dict(saved["optimizer"])
    state.step = state.saved_at = saved["step"]
    state.seen, state.curve = list(saved["seen"]), list(saved["curve"])
    state.best = saved["best"]
    if state.average is not None:
        state.average.load_state_dict(saved["average"])
    return state


def _sharding() -> ModuleType:
    """Imported where weights are shared out alone: it takes half a second."""
    from segmodels.training import sharding

    return sharding


def save(state: State, snapshot: Path, device: str, processes: Processes = ALONE) -> None:
    """Write a snapshot of a training whose losses were asked for and are finite.

    Where weights are shared out, all processes take part; the first writes.
    """
    content = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "seen": state.seen,
        "curve": state.curve,
        "best": state.best,
        "average": state.average and state.average.state_dict(),
    }
    if processes.sharded:
        content = _sharding().whole(content, keep=processes.first)
    if processes.first and save_snapshot(snapshot, content, arithmetic(device)):
        state.saved_at = state.step
