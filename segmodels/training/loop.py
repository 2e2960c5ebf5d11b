"""Training: one loop, read aloud.

What a step sees depends on the seed and the number of the step alone (`feed`), so a run that was
killed continues from its last snapshot and ends with the same weights as one that was not.
Snapshots lie in the scratch cache, in a folder named by everything that decides the result;
the weights are written once, whole, at the end.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segmodels.checkpoints import save_checkpoint
from segmodels.core.arrays import VOID
from segmodels.core.environment import arithmetic, machine, peak_memory_bytes
from segmodels.core.files import digest, naming, write_text
from segmodels.core.locks import only_one
from segmodels.core.settings import cache_dir
from segmodels.errors import SegmodelsError
from segmodels.evaluation.counting import count_pairs
from segmodels.evaluation.prediction import NotFiniteError
from segmodels.evaluation.reference import predict
from segmodels.metrics.iou import intersection_and_union, iou_from, mean_of
from segmodels.models.base import SegModel
from segmodels.protocols.protocol import Protocol
from segmodels.training.augmentation import Augmentation
from segmodels.training.curve import CurveProgress, CurveRow, curve_as_csv
from segmodels.training.job import Job
from segmodels.training.loader import Feed
from segmodels.training.loss import class_weights, pixel_loss
from segmodels.training.network import first_network
from segmodels.training.optimizer import build_optimizer, set_learning_rates
from segmodels.training.order import Order
from segmodels.training.snapshot import load_snapshot, save_snapshot

#: Seconds between snapshots; losing a minute is cheaper than writing after every step.
_SNAPSHOT_SECONDS = 60.0


@dataclass
class _State:
    model: SegModel
    optimizer: torch.optim.Optimizer
    step: int = 0
    losses: list[float] = field(default_factory=list)
    curve: list[CurveRow] = field(default_factory=list)


def train(
    job: Job, folder: Path, curve: Path, progress: CurveProgress | None = None
) -> dict[str, Any]:
    """Train and write `folder/model.safetensors`, `folder/model.json` and the curve as CSV.

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
    with only_one(lock, work, wait=True), _threads(job):
        state = _resumed(job, scratch / "state.pt")
        resumed_at = state.step
        _loop(job, state, scratch / "state.pt", progress)
        state.model.eval().to("cpu")
        metadata = {"run": job.run, **job.provenance}
        with naming(folder):
            weights = save_checkpoint(state.model, folder, metadata=metadata)
        write_text(curve, curve_as_csv(state.curve))
        shutil.rmtree(scratch, ignore_errors=True)
    return {
        "training": digest(job.provenance),
        "weights_sha256": weights,
        "steps": job.steps,
        "resumed_at": resumed_at,
        "seconds": round(time.perf_counter() - start, 3),
        "peak_memory_bytes": peak_memory_bytes(job.device),
        "machine": machine(job.device),
    }


def _loop(job: Job, state: _State, snapshot: Path, progress: CurveProgress | None) -> None:
    weight = class_weights(job).to(job.device)
    saved = time.monotonic()
    with closing(feed(job, state.model).batches(state.step, job.steps)) as batches:
        for images, labels in batches:
            state.losses.append(_step(job, state, images, labels, weight))
            state.step += 1
            if state.step % job.recipe.validate_every == 0 or state.step == job.steps:
                state.curve.append(_look(job, state))
                if progress:
                    progress(state.curve[-1], job.steps)
            if time.monotonic() - saved > _SNAPSHOT_SECONDS:
                _save(state, snapshot, job.device)
                saved = time.monotonic()


def _diverged(job: Job, text: str) -> SegmodelsError:
    advice = f"Lower 'lr' or lengthen 'warmup' in params/recipes/{job.recipe.name}.yaml."
    return SegmodelsError(f"run {job.run!r}: {text}. {advice}")


def _step(job: Job, state: _State, images: Tensor, labels: Tensor, weight: Tensor) -> float:
    recipe, model = job.recipe, state.model.train()
    torch.manual_seed(job.seed * 1_000_003 + state.step)  # dropout and drop path
    set_learning_rates(state.optimizer, job.schedule, state.step)
    loss = torch.stack(head_losses(job, model, images, labels, weight)).sum()
    if not torch.isfinite(loss):
        raise _diverged(job, f"the loss is {loss.item()} at step {state.step}")
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if recipe.clip is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    state.optimizer.step()
    return float(loss.item())


def head_losses(
    job: Job, model: SegModel, images: Tensor, labels: Tensor, weight: Tensor
) -> list[Tensor]:
    """The loss of every head that is trained, by its share: the decoder's, then auxiliary ones."""
    recipe, kind = job.recipe, torch.device(job.device).type
    with torch.autocast(kind, torch.bfloat16, enabled=recipe.precision == "bf16"):
        heads = _full_size(model, images, recipe.auxiliary_weight)
    return [
        share * pixel_loss(_full_precision(logits), labels, weight, recipe.loss_mean)
        for logits, share in heads
    ]


def _full_size(
    model: SegModel, images: Tensor, auxiliary: float | None = None
) -> list[tuple[Tensor, float]]:
    """Logits (B, C, H, W) of every head that is trained, and its share of the loss."""
    model.check(images)
    height, width = images.shape[-2:]
    main, *others = model.forward_supervised(images)
    if auxiliary is not None:
        others = [(logits, auxiliary) for logits, _ in others]
    return [(model.to_image(logits, height, width), share) for logits, share in [main, *others]]


def _full_precision(logits: Tensor) -> Tensor:
    """The same, but what autocast gave in half precision."""
    return logits.float() if logits.dtype == torch.bfloat16 else logits


def _look(job: Job, state: _State) -> CurveRow:
    """The mean loss since the last look, and mIoU on the first validation images."""
    model, recipe = state.model.eval(), job.recipe
    protocol = Protocol(
        name="training",
        version=1,
        title="training",
        resize_short=recipe.resize_short,
        resize_long=recipe.resize_long,
    )
    classes = len(job.val.class_names)
    total = np.zeros((classes + 1, model.num_classes), dtype=np.int64)
    for index in range(min(recipe.validate_images, len(job.val))):
        sample = job.val.read(index)
        try:
            prediction = predict(model, sample.image, protocol)
        except NotFiniteError:
            text = f"the scores of {sample.name!r} are not finite after step {state.step}"
            raise _diverged(job, text) from None
        total += count_pairs(sample.label, prediction, classes, model.num_classes, VOID)
    loss, state.losses = float(np.mean(state.losses)), []
    return {
        "step": state.step,
        "lr": job.schedule.lr(state.step - 1),
        "loss": loss,
        "val_miou": 100 * float(mean_of(iou_from(*intersection_and_union(total)))),
    }


def feed(job: Job, model: SegModel) -> Feed:
    """Where a training's batches come from.

    Raises:
        SegmodelsError: the model does not say how pixels become its input.
    """
    recipe = job.recipe
    if model.preprocessing is None:
        raise SegmodelsError(f"model {job.model!r} carries no preprocessing to train with.")
    augment = Augmentation(
        model.preprocessing,
        recipe.crop,
        resize_short=recipe.resize_short,
        resize_long=recipe.resize_long,
        scale=recipe.scale,
        cat_max_ratio=recipe.cat_max_ratio,
        flip=recipe.flip,
        photometric=recipe.photometric,
    )
    order = Order(len(job.train), recipe.batch, job.seed, recipe.epochs is not None)
    return Feed(job.train, augment, order, job.device)


def _resumed(job: Job, snapshot: Path) -> _State:
    def take_up(saved: dict[str, Any]) -> _State:
        return _taken_up(_begun(job), saved, job.steps)

    fresh = _begun(job)  # first: it says that a device is not there
    here = arithmetic(job.device)
    return load_snapshot(snapshot, here, job.device, take_up) or fresh


def _begun(job: Job) -> _State:
    """A training before its first step."""
    model = first_network(job)
    try:
        model.to(job.device)
    except (RuntimeError, AssertionError) as error:  # torch raises either without a GPU
        raise SegmodelsError(f"run {job.run!r} cannot train on {job.device!r}: {error}") from error
    return _State(model, build_optimizer(model, job.recipe))


def _taken_up(state: _State, saved: dict[str, Any], steps: int) -> _State:
    """The same at a snapshot; raises what torch does, or ValueError, if it is none of this one."""
    if type(saved["step"]) is not int or not 0 <= saved["step"] <= steps:
        raise ValueError("step")
    state.model.load_state_dict(saved["model"])
    state.optimizer.load_state_dict(saved["optimizer"])
    state.step, state.losses, state.curve = (
        saved["step"],
        list(saved["losses"]),
        list(saved["curve"]),
    )
    return state


def _save(state: _State, snapshot: Path, device: str) -> None:
    content = {
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "losses": state.losses,
        "curve": state.curve,
    }
    save_snapshot(snapshot, content, arithmetic(device))


@contextmanager
def _threads(job: Job) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(job.recipe.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
