"""How far a training has come: everything that a snapshot keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
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
from segmodels.training.processes import Processes
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

    @property
    def result(self) -> SegModel:
        """The network that is looked at, and that comes out."""
        if self.average is None:
            return self.model
        return cast("SegModel", self.average.module)

    def keep_if_best(self, miou: float) -> None:
        """Remember the weights that gave a mIoU on validation images, if none gave more."""
        if self.best is None or miou > self.best["val_miou"]:
            weights = {k: v.detach().cpu().clone() for k, v in self.result.state_dict().items()}
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


def begun(job: Job) -> State:
    """A training before its first step.

    Raises:
        SegmodelsError: the network cannot be made, or not on this device.
    """
    model = first_network(job)
    try:
        model.to(job.device)
    except (RuntimeError, AssertionError) as error:  # torch raises either without a GPU
        raise SegmodelsError(f"run {job.run!r} cannot train on {job.device!r}: {error}") from error
    state = State(model, build_optimizer(model, job.recipe))
    if job.recipe.ema is not None:
        average = get_ema_multi_avg_fn(job.recipe.ema)  # type: ignore[no-untyped-call]
        state.average = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
    return state


def resumed(job: Job, snapshot: Path, processes: Processes) -> State:
    """A training as its last whole snapshot has it; before its first step if there is none."""
    fresh, here = begun(job), arithmetic(job.device)  # first: it says that a device is not there
    # Others take what the first process reads, and the device would be that of the first.
    device = job.device if processes.count == 1 else "cpu"

    def checked(saved: dict[str, Any]) -> dict[str, Any]:
        _taken_up(begun(job), saved, job.steps)
        return saved

    saved = processes.from_first(lambda: load_snapshot(snapshot, here, device, checked))
    return fresh if saved is None else _taken_up(fresh, saved, job.steps)


def _taken_up(state: State, saved: dict[str, Any], steps: int) -> State:
    """The same at a snapshot; raises what torch does, or ValueError, if it is none of this one."""
    if type(saved["step"]) is not int or not 0 <= saved["step"] <= steps:
        raise ValueError("step")
    state.model.load_state_dict(saved["model"])
    state.optimizer.load_state_dict(saved["optimizer"])
    state.step = state.saved_at = saved["step"]
    state.seen, state.curve = list(saved["seen"]), list(saved["curve"])
    state.best = saved["best"]
    if state.average is not None:
        state.average.load_state_dict(saved["average"])
    return state


def save(state: State, snapshot: Path, device: str) -> None:
    """Write a snapshot of a training whose losses were asked for and are finite."""
    content = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "seen": state.seen,
        "curve": state.curve,
        "best": state.best,
        "average": state.average and state.average.state_dict(),
    }
    if save_snapshot(snapshot, content, arithmetic(device)):
        state.saved_at = state.step
