"""The network compiled for training: the same numbers, a program for each size, a refusal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from segmodels.errors import SegmodelsError
from segmodels.evaluation import precision
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.training.loss import Loss
from segmodels.training.optimizer import build_optimizer
from segmodels.training.processes import ALONE, Processes
from segmodels.training.recipe import Recipe
from segmodels.training.sharding import whole
from segmodels.training.step import Step

RECIPE = Recipe(name="tiny", title="", steps=4, batch=2, crop=(64, 64), lr=1e-2, compile=True)
SMALL = {
    "image_size": 64,
    "layers": 1,
    "decoder_layers": 1,
    "drop_path": 0.0,
    "decoder_dropout": 0.0,
}

pytestmark = pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler about itself


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A backend that needs no compiler; it tells for how many images its programs are."""
    images: list[int] = []

    def backend(graph: torch.fx.GraphModule, examples: list[Tensor]) -> object:
        pixels = [one.shape for one in examples if one.ndim == 4 and one.shape[1:] == (3, 64, 64)]
        images.extend(shape[0] for shape in pixels)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(precision, "BACKEND", backend)
    yield images
    torch.compiler.reset()


def network() -> SegModel:
    torch.manual_seed(0)
    return create_model("segmenter_vit_nano_patch8_mask", num_classes=3, **SMALL)


def steps_of(recipe: Recipe, processes: Processes = ALONE, number: int = 2) -> dict[str, Any]:
    """Losses and weights of a few steps, on batches of three, three and one images."""
    model = network()
    processes.shard(model)
    step = Step(model, build_optimizer(model, recipe), Loss(torch.ones(3)), recipe, processes)
    random = torch.Generator().manual_seed(1)
    losses = []
    for images in (3, 3, 1)[:number]:
        pixels = torch.randn(images, 3, 64, 64, generator=random)
        labels = torch.randint(0, 3, (images, 64, 64), generator=random)
        losses.append(step(pixels, labels).losses)
    return {"losses": torch.stack(losses), **whole(dict(model.state_dict()))}


def test_the_numbers_are_those_of_the_network_as_written(traced: list[int]) -> None:
    plain = steps_of(RECIPE.replace(compile=False), number=3)
    assert not traced
    found = steps_of(RECIPE, number=3)
    assert traced == [3, 1]  # a program for each size; never one for all of them
    assert all(torch.equal(found[name], one) for name, one in plain.items())


@pytest.fixture
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("sharded", [False, True])
def test_several_processes_compile(traced: list[int], group: None, sharded: bool) -> None:
    """As of two processes, whose gradients are halved where their mean is taken."""
    processes = Processes(0, 2, sharded)
    recipe = RECIPE.replace(optimizer="sgd", clip="none")
    plain = steps_of(recipe.replace(compile=False), processes)
    found = steps_of(recipe, processes)
    assert traced
    for name, one in plain.items():
        torch.testing.assert_close(found[name], one, msg=name)


def test_a_compiler_that_fails_is_told(traced: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: object, examples: object) -> object:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(precision, "BACKEND", broken)
    with pytest.raises(SegmodelsError, match=r"recipe 'tiny'.*no C\+\+ comp.*remove 'compile' fr"):
        steps_of(RECIPE)


@pytest.mark.slow
def test_the_real_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the same bytes, near those of the network as written."""
    monkeypatch.setitem(os.environ, "TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    recipe = RECIPE.replace(optimizer="sgd")
    plain = steps_of(recipe.replace(compile=False), number=3)
    found = []
    for _ in range(2):
        torch.compiler.reset()
        found.append(steps_of(recipe, number=3))
    for name, one in plain.items():
        assert torch.equal(found[0][name], found[1][name])
        torch.testing.assert_close(found[0][name], one, rtol=1e-3, atol=1e-4, msg=name)
