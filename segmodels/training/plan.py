"""What a training will cost, before it begins: memory, images per second, hours.

Memory is counted without computing anything: the network is run on tensors that have a shape and
no content, and what its backward pass would need is added up. The time is measured by a few steps
of one image on the device, and is that device's.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from segmodels.core.arrays import VOID
from segmodels.models.base import SegModel
from segmodels.models.undrawn import Undrawn
from segmodels.training.batch_norms import has_batch_norms
from segmodels.training.loss import Loss
from segmodels.training.network import Wanted
from segmodels.training.optimizer import build_optimizer
from segmodels.training.processes import Supervised
from segmodels.training.recipe import Recipe
from segmodels.training.step import Step
from segmodels.training.threads import threads

#: Steps that are timed, behind one that is not.
_TIMED = 2

#: Bytes of activations of a probe.
_PROBED = 2**30

#: Numbers that an optimiser keeps for each parameter.
_MOMENTS = {"adamw": 2, "sgd": 1}


@dataclass(frozen=True)
class Memory:
    """Bytes of one process.

    Attributes:
        weights: parameters and buffers.
        gradients: of all parameters.
        moments: the optimiser's.
        activations: what the backward pass of `images` images needs of the forward pass.
        images: of one process in one pass through the network.
        together: blocks that are put together for as long as they are computed, where weights are
            shared out.
    """

    weights: int
    gradients: int
    moments: int
    activations: int
    images: int
    together: int = 0

    @property
    def total(self) -> int:
        """All of it; what single operations need meanwhile comes on top."""
        kept = self.weights + self.gradients + self.moments
        return kept + self.together + self.activations


def memory(wanted: Wanted, processes: int = 1, sharded: bool = False) -> Memory:
    """What a training needs in each of its processes, without computing anything.

    Args:
        wanted: the network, and the recipe it is trained by.
        processes: that share a batch.
        sharded: whether they also share out weights, gradients and moments.
    """
    recipe = wanted.recipe
    images = math.ceil(math.ceil(recipe.batch / processes) / recipe.accumulate)
    with Undrawn():
        model = wanted.built().train()
    holders = processes if sharded else 1
    trained = (one for one in model.parameters() if one.requires_grad)
    parameters = math.ceil(_bytes(trained) / holders)
    weights = math.ceil(_bytes(model.parameters()) / holders) + _bytes(model.buffers())
    return Memory(
        weights=weights,
        gradients=parameters,
        moments=_MOMENTS[recipe.optimizer] * parameters if _has_moments(recipe) else 0,
        activations=_activations(model, recipe, images),
        images=images,
        together=_together(model) if sharded else 0,
    )


def _has_moments(recipe: Recipe) -> bool:
    return recipe.optimizer != "sgd" or recipe.momentum > 0


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(one.numel() * one.element_size() for one in tensors)


def _together(model: SegModel) -> int:
    """The largest block and the next one, which is fetched meanwhile, and what is in no block;
    and in the backward pass the gradients of all but the next.
    """
    from segmodels.training.sharding import blocks  # half a second of imports

    inside, largest = set[int](), 0
    for block in blocks(model):
        own = [one for one in block.parameters() if id(one) not in inside]
        inside.update(map(id, own))
        largest = max(largest, _bytes(own))
    rest = _bytes(one for one in model.parameters() if id(one) not in inside)
    return 2 * rest + 3 * largest


def _activations(model: SegModel, recipe: Recipe, images: int) -> int:
    """Bytes that are saved for the backward pass, each storage once."""
    network, mode = Supervised(model), FakeTensorMode(allow_non_fake_inputs=True)
    held = {name: _faked(mode, one) for name, one in network.state_dict(keep_vars=True).items()}
    own = {one.untyped_storage()._cdata for one in held.values()}
    saved: dict[int, tuple[int, Tensor]] = {}

    def note(one: Tensor) -> Tensor:
        storage = one.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage.nbytes(), one  # kept, so that its number stays its own
        return one

    half = torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16")
    with mode, half, saved_tensors_hooks(note, lambda one: one):
        functional_call(network, held, (torch.empty(images, 3, *recipe.crop),))
    return sum(size for size, _ in saved.values())


def _faked(mode: FakeTensorMode, one: Tensor) -> Tensor:
    is_parameter = isinstance(one, nn.Parameter)
    return mode.from_tensor(one.detach()).requires_grad_(is_parameter and one.requires_grad)


def seconds_per_image(wanted: Wanted, device: str, needed: Memory) -> float:
    """Time of a training step per image, measured on a device by a few steps.

    A step has as many images as the training's if their activations take at most a gigabyte, else
    fewer; a GPU is then slower by the image than it will be.
    """
    recipe = wanted.recipe
    with threads(recipe.threads):
        model = wanted.built().to(device)
        weight = torch.ones(wanted.classes, device=device)
        step = Step(model, build_optimizer(model, recipe), Loss(weight, recipe.loss_mean), recipe)
        batch = _batch(model, recipe, device, needed)
        step(*batch)
        _finished(device)
        start = time.perf_counter()
        for _ in range(_TIMED):
            step(*batch)
        _finished(device)
    return (time.perf_counter() - start) / (_TIMED * len(batch[0]))


def _batch(model: SegModel, recipe: Recipe, device: str, needed: Memory) -> tuple[Tensor, Tensor]:
    least = 2 if has_batch_norms(model) else 1  # one image has no variance at a resolution of one
    fitting = _PROBED * needed.images // max(needed.activations, 1)
    count = max(least, min(needed.images, fitting))
    labels = torch.zeros(count, *recipe.crop, dtype=torch.long, device=device)
    labels[:, :1] = VOID
    return torch.randn(count, 3, *recipe.crop, device=device), labels


def _finished(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def is_here(device: str) -> bool:
    """Whether this machine has a device: `cpu`, or `cuda` with or without a number."""
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return device == "cpu"
    return (number or "0").isdecimal() and int(number or "0") < torch.cuda.device_count()


def capacity(device: str) -> int | None:
    """Bytes of memory that a device has; None where it is not here, or the system does not tell."""
    if not is_here(device):
        return None
    if device.startswith("cuda"):
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no such question outside of POSIX
        return None
