"""Training: one loop, read aloud.

What a step sees depends on the seed and the number of the step alone (`batches`), so a run that was
killed continues from its last snapshot and ends with the same weights as one that was not.
Snapshots lie in the scratch cache, in a folder named by everything that decides the result;
the weights are written once, whole, at the end.
"""

from __future__ import annotations

import shutil
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segmodels.checkpoints import save_checkpoint
from segmodels.core.environment import machine, peak_memory_bytes
from segmodels.core.files import digest, naming, write_text
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.errors import SegmodelsError
from segmodels.evaluation.prediction import NotFiniteError
from segmodels.models.base import SegModel
from segmodels.training.batches import feed, image_names
from segmodels.training.curve import CurveProgress, CurveRow, Pace, curve_as_csv
from segmodels.training.job import Job
from segmodels.training.loss import Loss, class_weights
from segmodels.training.optimizer import FACTOR, set_learning_rates
from segmodels.training.processes import ALONE, Processes
from segmodels.training.samples import Samples
from segmodels.training.state import State, resumed, save
from segmodels.training.step import Step
from segmodels.training.threads import threads
from segmodels.training.validation import validation_miou

#: Seconds between snapshots; losing a minute is cheaper than writing after every step.
_SNAPSHOT_SECONDS = 60.0

#: Steps after which a GPU is asked for its losses: what is asked has nothing left to do.
_SETTLED_EVERY = 16


def train(
    job: Job,
    folder: Path,
    curve: Path,
    progress: CurveProgress | None = None,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """Train and write `folder/model.safetensors`, `folder/model.json` and the curve as CSV.

    Beside the curve a picture (PNG) shows what the network last said of a few validation images.

    Of several processes that train together the first writes.

    The same training in another process is waited for. What a killed one left is taken up if it
    is undamaged and was trained on this device by this torch; otherwise training begins anew.

    Returns:
        the record of the training: machine, seconds, peak memory.

    Raises:
        SegmodelsError: the loss is no longer finite, or the weights cannot be written.
    """
    start, key = time.perf_counter(), digest(job.provenance)[:16]
    scratch = cache_dir() / "training" / key
    lock, work = scratch.with_suffix(".lock"), f"training {job.run} ({key})"
    alone = only_one(lock, work, wait=True) if processes.first else nullcontext()
    with alone, threads(job.recipe.threads):
        state = resumed(job, scratch / "state.pt", processes)
        resumed_at = state.step
        samples = Samples.of(job, curve.with_suffix(".png"), processes)
        _Loop(job, state, scratch / "state.pt", progress, processes, samples).run()
        result = state.result("cpu")
        weights = processes.from_first(lambda: _written(job, state, result, folder, curve))
        if processes.first:
            shutil.rmtree(scratch, ignore_errors=True)
    return {
        "training": digest(job.provenance),
        "weights_sha256": weights,
        "steps": state.step,
        "ended": "all steps are done" if state.step == job.steps else "patience",
        "kept": _kept(job, state),
        "processes": processes.count,
        "sharding": "fsdp" if processes.sharded else None,
        "resumed_at": resumed_at,
        "seconds": round(time.perf_counter() - start, 3),
        "peak_memory_bytes": peak_memory_bytes(job.device),
        "machine": machine(job.device),
    }


def _written(job: Job, state: State, model: SegModel, folder: Path, curve: Path) -> str:
    """Write what came of a training; returns the sha256 of the weights."""
    model = model.eval().to("cpu")
    if job.recipe.keep == "best" and state.best is not None:
        model.load_state_dict(state.best["model"])
    metadata = {"run": job.run, **job.provenance}
    with naming(folder):
        weights = save_checkpoint(model, folder, metadata=metadata)
    write_text(curve, curve_as_csv(state.curve))
    return weights


def _kept(job: Job, state: State) -> dict[str, float]:
    """Which weights came out, for the record: their step, and mIoU on validation images."""
    if job.recipe.keep == "best" and state.best is not None:
        return {"step": state.best["step"], "val_miou": state.best["val_miou"]}
    return {"step": state.step, "val_miou": state.curve[-1]["val_miou"]}


@dataclass(frozen=True)
class _Loop:
    """A training from where it is to its end.

    Attributes:
        job: what is trained.
        state: how far it is.
        snapshot: path of the last one.
        progress: called with every point of the curve.
        processes: that train together.
        samples: the picture of a few validation images.
    """

    job: Job
    state: State
    snapshot: Path
    progress: CurveProgress | None
    processes: Processes
    samples: Samples

    def run(self) -> None:
        job, state, saved = self.job, self.state, time.monotonic()
        settled_every = _SETTLED_EVERY if job.device.startswith("cuda") else 1
        pace = Pace(job.device, state.step, job.steps, job.recipe.batch)
        step = Step(state.model, state.optimizer, _loss(job), job.recipe, self.processes)
        batches = feed(job, state.model, self.processes).batches(state.step, job.steps)
        with closing(batches):
            for images, labels in batches:
                self._draw()
                set_learning_rates(state.optimizer, job.schedule, state.step)
                state.on_device.append(step(images, labels))
                state.step += 1
                if state.average is not None:
                    state.average.update_parameters(state.model)
                if state.step % job.recipe.validate_every == 0 or state.step == job.steps:
                    self._look(pace)
                    if self._is_out_of_patience():
                        return
                elif len(state.on_device) < settled_every:
                    continue
                else:
                    self._settle()
                if self._is_due(saved):
                    save(state, self.snapshot, job.device, self.processes)
                    saved = time.monotonic()

    def _is_due(self, saved: float) -> bool:
        """Whether it is time for a snapshot. Where all have a part of it, the first one's clock
        counts for all.
        """
        due = time.monotonic() - saved > _SNAPSHOT_SECONDS
        return self.processes.from_first(lambda: due) if self.processes.sharded else due

    def _draw(self) -> None:
        """What dropout and drop path draw depends on the seed, the step and the process."""
        rank = self.processes.rank
        torch.manual_seed(self.job.seed * 1_000_003 + self.state.step + rank * 1_000_000_007)

    def _settle(self) -> None:
        """Ask for what is still on the device; a loss that is not finite ends the training."""
        if (step := self.state.settle(self.processes)) is not None:
            *losses, norm = self.state.seen[step - self.state.step]
            names = ", ".join(image_names(self.job, step))
            what = f"the loss is {sum(losses)}, the gradient's length {norm}"
            raise self._diverged(f"{what} at step {step} (images {names})")

    def _look(self, pace: Pace) -> None:
        """Add a point to the curve."""
        self._settle()
        job, state = self.job, self.state
        try:
            result = state.result(job.device)
            miou = validation_miou(job, result, self.processes, self.samples)
        except NotFiniteError as error:
            raise self._diverged(f"{error} after step {state.step}") from None
        self.samples.draw()
        point = {"step": state.step, **self._rates(), **_means(state.seen), "val_miou": miou}
        state.seen = []
        state.curve.append(point)
        if job.recipe.keep == "best":
            state.keep_if_best(miou, result)
        if self.progress and self.processes.first:
            self.progress({**point, **pace.at(state.step)}, job.steps)

    def _is_out_of_patience(self) -> bool:
        patience, best = self.job.recipe.patience, self.state.best
        if patience is None or best is None:
            return False
        return sum(point["step"] > best["step"] for point in self.state.curve) >= patience

    def _rates(self) -> CurveRow:
        """Learning rates of the last step: the recipe's, and that of each group with a factor."""
        schedule, last = self.job.schedule, self.state.step - 1
        factors = sorted({group[FACTOR] for group in self.state.optimizer.param_groups} - {1})
        groups = {f"lr_x{factor:g}": schedule.lr(last, factor) for factor in factors}
        return {"lr": schedule.lr(last), **groups}

    def _diverged(self, text: str) -> SegmodelsError:
        saved, recipe = self.state.saved_at, self.job.recipe.name
        kept = f"the last good snapshot is of step {saved}" if saved else "there is no snapshot"
        return SegmodelsError(
            f"run {self.job.run!r}: {text}; {kept}. Lower 'lr' or lengthen 'warmup' in "
            f"params/recipes/{recipe}.yaml."
        )


def _means(seen: list[list[float]]) -> CurveRow:
    """Loss, that of each head if there are several, and length of the gradient, over steps."""
    *heads, norm = np.mean(seen, axis=0).tolist()
    each = {f"loss_head{number}": loss for number, loss in enumerate(heads)}
    return {"loss": sum(heads), **(each if len(heads) > 1 else {}), "gradient_norm": norm}


def _loss(job: Job) -> Loss:
    return Loss(class_weights(job).to(job.device), job.recipe.loss_mean)
