"""What a training will need: counted without computing, and measured by a short probe."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from segmodels import cli
from segmodels.training import plan
from segmodels.training.network import Wanted
from segmodels.training.recipe import Recipe

RECIPE = Recipe(name="tiny", title="", steps=4, batch=3, crop=(48, 64), lr=1e-3)


def wanted(model: str = "segformer_nano", **recipe: Any) -> Wanted:
    return Wanted("run", model, RECIPE.replace(**recipe), 5, {})


def kept_for_the_backward_pass(asked: Wanted, images: int) -> int:
    """The same of a real forward pass: sizes of the storages that autograd keeps."""
    model = asked.built().train()
    own = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def note(one: torch.Tensor) -> torch.Tensor:
        storage = one.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes(), one
        return one

    with torch.autograd.graph.saved_tensors_hooks(note, lambda one: one):
        heads = model.forward_supervised(torch.randn(images, 3, *asked.recipe.crop))
    assert heads
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("name", ["segformer_nano", "segmenter_vit_nano_patch8_mask", "unet"])
def test_activations_are_those_of_a_real_forward_pass(name: str) -> None:
    found = plan.memory(wanted(name))
    assert found.images == 3
    assert found.activations == kept_for_the_backward_pass(wanted(name), 3)


def test_the_rest_of_the_memory() -> None:
    model = wanted().built()
    parameters = 4 * sum(one.numel() for one in model.parameters())
    buffers = sum(one.numel() * one.element_size() for one in model.buffers())
    found = plan.memory(wanted())
    assert (found.weights, found.gradients) == (parameters + buffers, parameters)
    assert found.moments == 2 * parameters
    assert plan.memory(wanted(optimizer="sgd")).moments == parameters
    assert plan.memory(wanted(optimizer="sgd", momentum=0.0, nesterov=False)).moments == 0
    assert found.total == found.weights + found.gradients + found.moments + found.activations


def test_processes_share_a_batch() -> None:
    assert [plan.memory(wanted(), count).images for count in (1, 2, 3)] == [3, 2, 1]
    assert plan.memory(wanted(), 3).activations < plan.memory(wanted()).activations / 2


def test_processes_share_out_the_weights() -> None:
    asked = wanted("segmenter_vit_nano_patch8_mask", optimizer="adamw")
    alone, shared = plan.memory(asked), plan.memory(asked, 4, sharded=True)
    model = asked.built()
    assert not list(model.buffers())
    assert shared.weights == pytest.approx(alone.weights / 4, abs=4)
    assert shared.gradients == pytest.approx(alone.gradients / 4, abs=4)
    assert shared.moments == pytest.approx(alone.moments / 4, abs=8)
    sizes = [
        sum(4 * one.numel() for one in block.parameters())
        for block in (*model.encoder.blocks, *model.decoder.blocks)
    ]
    rest = alone.weights - sum(sizes)
    assert shared.together == 2 * rest + 3 * max(sizes)
    assert shared.total == (
        shared.weights + shared.gradients + shared.moments + shared.together + shared.activations
    )
    assert plan.memory(asked, 4).together == 0


def test_checkpointed_blocks_keep_less() -> None:
    name = "segmenter_vit_nano_patch8_mask"
    less = plan.memory(wanted(name, grad_checkpointing=True)).activations
    assert less < plan.memory(wanted(name)).activations / 2


def test_a_probe_of_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    class Noted:
        def __init__(self, *_: Any) -> None:
            pass

        def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
            sizes.append(len(images))

    needed = plan.memory(wanted())
    monkeypatch.setattr(plan, "Step", Noted)
    assert plan.seconds_per_image(wanted(), "cpu", needed) > 0
    monkeypatch.setattr(plan, "_PROBED", needed.activations // 2)
    plan.seconds_per_image(wanted("segmenter_vit_nano_patch8_mask"), "cpu", needed)
    monkeypatch.setattr(plan, "_PROBED", 1)
    plan.seconds_per_image(wanted(), "cpu", needed)
    assert sizes == [3] * 3 + [1] * 3 + [2] * 3  # batch norms want two


def test_the_command(project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """No image has to be here."""
    assert cli.main(["train", "shapes-segformer-nano", "--plan", "--gpus", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("shapes-segformer-nano: segformer_nano on shapes, recipe shapes-")
    assert "activations of 4 images" in lines[1]
    assert lines[2].endswith("fits")
    assert lines[3] == "steps: 300 of 16 images of 96x96"
    assert " images/s by a short probe on " in lines[4]


def test_the_command_where_weights_are_shared_out(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "shapes-segformer-nano", "--plan", "--gpus", "4", "--device", "cuda:99"]
    assert cli.main([*command, "--sharding", "fsdp"]) == 0
    assert "blocks put together" in capsys.readouterr().out.splitlines()[1]


def test_what_may_not_fit_is_not_tried(
    project: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("segmodels.steps.planning.capacity", lambda _: 2**20)
    assert cli.main(["train", "shapes-segformer-nano", "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "cpu has 1 MiB: does not fit"
    assert lines[-1] == "time: not measured, because even a few images may not fit"


@pytest.mark.parametrize("device", ["cuda:99", "cuda:x", "meta-physics"])
def test_a_device_that_is_not_here(
    project: Any, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    assert cli.main(["train", "shapes-segformer-nano", "--plan", "--device", device]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("memory of a process: ")
    assert lines[-1] == f"time: not measured, because {device} is not here"


def test_released_weights_are_not_trained(project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "camvid-espnet", "--plan"]) == 1
    assert "there is nothing to train" in capsys.readouterr().err
