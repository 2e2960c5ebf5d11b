"""What the training of a run will cost, in lines for people."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from segmodels.assets.entries import load_dataset_entry
from segmodels.core.environment import machine
from segmodels.datasets.described import described_split
from segmodels.datasets.registry import dataset_kind
from segmodels.errors import SegmodelsError
from segmodels.runs.run import Run, load_run
from segmodels.training.network import Wanted
from segmodels.training.plan import Memory, capacity, is_here, memory, seconds_per_image
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe

_MEBIBYTE = 2**20

#: Share of a device's memory that a training may take.
_USABLE = 0.9


def plan(run_name: str, device: str, processes: int = 1, sharded: bool = False) -> Iterator[str]:
    """Lines that say what a training needs; neither images nor initial weights have to be here.

    Args:
        run_name: a run with a recipe.
        device: whose memory and speed are meant.
        processes: that share each batch, each on a device of its own.
        sharded: whether they also share out weights, gradients and moments.

    Raises:
        SegmodelsError: the run trains nothing, or its network cannot be made or run.
    """
    run = load_run(run_name)
    if run.recipe is None:
        raise SegmodelsError(f"run {run.name!r} uses released weights; there is nothing to train.")
    recipe = load_recipe(run.recipe)
    wanted = _wanted(run, recipe)
    needed = memory(wanted, processes, sharded)
    yield f"{run.name}: {run.model} on {run.dataset}, recipe {recipe.name} ({recipe.title})"
    yield from _memory_lines(needed, device)
    steps = _steps(run, recipe)
    yield f"steps: {steps} of {recipe.batch} images of {recipe.crop[0]}x{recipe.crop[1]}"
    images = math.ceil(recipe.batch / processes) * steps
    yield from _time_lines(wanted, needed, images, device)


@dataclass(frozen=True)
class Cost:
    """What one training needs of one device.

    Attributes:
        memory: bytes.
        fits: whether the device has them; None where it is not here.
        hours: by a short probe; None where none was made.
        why: it was not made.
    """

    memory: int
    fits: bool | None
    hours: float | None
    why: str = ""


def cost(run: Run, device: str) -> Cost:
    """What the training of a run costs on one device.

    Raises:
        SegmodelsError: its network cannot be made or run.
    """
    recipe = load_recipe(run.recipe or "")
    wanted = _wanted(run, recipe)
    needed, there = memory(wanted, 1, False), capacity(device)
    fits = None if there is None else needed.total < _USABLE * there
    why = "it does not fit" if fits is False else _unmeasured(needed, device)
    if why:
        return Cost(needed.total, fits, None, why)
    seconds = seconds_per_image(wanted, device, needed)
    return Cost(needed.total, fits, recipe.batch * _steps(run, recipe) * seconds / 3600)


def _wanted(run: Run, recipe: Recipe) -> Wanted:
    classes = len(dataset_kind(run.dataset).class_names)
    return Wanted(run.name, run.model, recipe, classes, run.overrides)


def _memory_lines(needed: Memory, device: str) -> Iterator[str]:
    parts = {
        "weights": needed.weights,
        "gradients": needed.gradients,
        "optimiser": needed.moments,
        **({"blocks put together": needed.together} if needed.together else {}),
        f"activations of {needed.images} images": needed.activations,
    }
    listed = ", ".join(f"{name} {size / _MEBIBYTE:.0f} MiB" for name, size in parts.items())
    yield f"memory of a process: {needed.total / _MEBIBYTE:.0f} MiB ({listed})"
    if (there := capacity(device)) is not None:
        fits = "fits" if needed.total < _USABLE * there else "does not fit"
        yield f"{device} has {there / _MEBIBYTE:.0f} MiB: {fits}"


def _steps(run: Run, recipe: Recipe) -> int:
    if recipe.steps is not None:
        return recipe.steps
    splits = load_dataset_entry(run.dataset).splits
    images = splits["train"].images if "train" in splits else None
    if images is None:
        images = described_split(run.dataset, "train")["images"]
    return recipe.total_steps(images)


def _time_lines(wanted: Wanted, needed: Memory, images: int, device: str) -> Iterator[str]:
    if why := _unmeasured(needed, device):
        yield f"time: not measured, because {why}"
        return
    seconds = seconds_per_image(wanted, device, needed)
    hours = images * seconds / 3600
    yield (
        f"speed: {1 / seconds:.2g} images/s by a short probe on {machine(device)['device']}, "
        f"so about {duration(hours)} without reading images and looking at validation"
    )


def _unmeasured(needed: Memory, device: str) -> str:
    """Why no probe is made; empty where one is."""
    if not is_here(device):
        return f"{device} is not here"
    there = capacity(device)
    if there is not None and needed.total / needed.images > 0.5 * there:
        return "even a few images may not fit"
    return ""


def duration(hours: float) -> str:
    """Hours as text, in the unit that people would say."""
    if hours < 1:
        return f"{math.ceil(60 * hours)} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
