"""One step: every head counts, and nothing in it waits for the device."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from paper_gpu import DEVICE, paper_gpu
from torch import Tensor

from segmodels.core.arrays import VOID
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.training.loss import Loss
from segmodels.training.optimizer import build_optimizer, set_learning_rates
from segmodels.training.processes import Processes
from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule
from segmodels.training.step import Step

RECIPE = Recipe(name="tiny", title="", steps=4, batch=2, crop=(64, 64), lr=1e-2)


def step_of(model: SegModel, recipe: Recipe = RECIPE, weight: Tensor | None = None) -> Step:
    weight = torch.ones(model.num_classes) if weight is None else weight
    return Step(model, build_optimizer(model, recipe), Loss(weight, recipe.loss_mean), recipe)


def batch(classes: int = 3, size: tuple[int, int] = (33, 47)) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, *size, generator=random)
    labels = torch.randint(0, classes, (2, *size), generator=random)
    labels[0, :5] = VOID
    return images, labels


@pytest.mark.parametrize("mean", ["valid", "all"])
@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(parts: int, mean: str) -> None:
    """The mean is over the pixels of the batch, however few of them a part has."""
    gradients, losses = [], []
    for accumulate in (1, parts):
        torch.manual_seed(0)
        model = create_model("segmenter_vit_nano_patch8_mask", num_classes=3, image_size=64)
        recipe = RECIPE.replace(batch=5, accumulate=accumulate, loss_mean=mean, clip=None)
        images, labels = torch.randn(5, 3, 64, 64), torch.randint(0, 3, (5, 64, 64))
        labels[0], labels[4, :50] = VOID, VOID
        outcome = step_of(model.double(), recipe)(images.double(), labels)
        losses.append(outcome.losses)
        gradients.append({name: one.grad for name, one in model.named_parameters()})
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-10, atol=0)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-8, atol=1e-12)


def test_processes_with_unlike_numbers_of_parts_are_refused() -> None:
    model = create_model("segmenter_vit_nano_patch8_mask", num_classes=3, image_size=64)
    for changes in ({"batch": 6, "accumulate": 2}, {"steps": None, "epochs": 1, "accumulate": 2}):
        recipe = RECIPE.replace(**changes)
        with pytest.raises(SegmodelsError, match=r"recipe 'tiny': 'accumulate' of 2 in 2 proc"):
            Step(
                model, build_optimizer(model, recipe), Loss(torch.ones(3)), recipe, Processes(0, 2)
            )


@pytest.mark.parametrize(("fixed", "share"), [(None, 0.4), (0.1, 0.1), (0.0, 0.0)])
@pytest.mark.parametrize("mean", ["valid", "all"])
def test_every_head_at_the_size_of_the_labels(fixed: float | None, share: float, mean: str) -> None:
    torch.manual_seed(0)
    model = create_model("fcn_mobilenetv2", num_classes=3)
    step = step_of(model, RECIPE.replace(auxiliary_weight=fixed, loss_mean=mean))
    images, labels = batch()
    torch.manual_seed(1)  # for dropout
    pixels = step.loss.pixels(labels)
    found = torch.stack(list(step.losses(images, labels, pixels)))
    torch.manual_seed(1)
    heads = [logits for logits, _ in model.forward_supervised(images)]
    full = [model.to_image(logits, *labels.shape[-2:]) for logits in heads]
    known = labels.numel() if mean == "all" else int((labels != VOID).sum())
    sums = [F.cross_entropy(one, labels, ignore_index=VOID, reduction="sum") for one in full]
    expected = torch.stack([sums[0], share * sums[1]]) / known
    torch.testing.assert_close(found, expected)


def test_the_loss_is_that_before_the_change_and_falls() -> None:
    torch.manual_seed(0)
    model, (images, labels) = create_model("unet", num_classes=3, width=4), batch()
    step = step_of(model)
    with torch.no_grad():
        before = float(sum(step.losses(images, labels, step.loss.pixels(labels))))
    seen = [float(step(images, labels).losses.sum()) for _ in range(5)]
    assert seen[0] == pytest.approx(before, rel=1e-6)
    assert seen[-1] < seen[0]


def test_one_image_is_too_few_for_a_batch_norm_at_a_resolution_of_one() -> None:
    step = step_of(create_model("deeplabv3plus_mobilenetv2", num_classes=3))
    images, labels = (one[:1] for one in batch(size=(32, 32)))
    with pytest.raises(SegmodelsError, match="needs batches of 2 images or more"):
        step(images, labels)


def test_a_limit_on_gradients_is_kept_and_none_is_none() -> None:
    images, labels = batch()
    lengths, told = {}, {}
    for clip in (1e-3, "none"):
        torch.manual_seed(0)
        model = create_model("unet", num_classes=3, width=4)
        told[clip] = float(step_of(model, RECIPE.replace(clip=clip))(images, labels).gradient_norm)
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        lengths[clip] = float(torch.stack([one.norm() for one in gradients]).norm())
    assert lengths[1e-3] == pytest.approx(1e-3, rel=1e-3)
    assert lengths["none"] > 1e-2
    assert told[1e-3] == pytest.approx(told["none"]) == pytest.approx(lengths["none"])


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("segformer_nano", {}),
        ("segmenter_vit_nano_patch8_mask", {"optimizer": "sgd"}),
        ("unet", {"loss_mean": "all"}),
    ],
)
def test_nothing_in_a_step_waits_for_the_device(name: str, recipe: dict[str, object]) -> None:
    # PyTorch's limit on gradients sorts them by device where no paper GPU can pretend to be one.
    recipe_ = RECIPE.replace(**recipe, clip="none")
    schedule = Schedule(recipe_, 4)
    with paper_gpu() as gpu:
        model = create_model(name, num_classes=3, image_size=(64, 64)).to(DEVICE)
        step = step_of(model, recipe_, torch.ones(3, device=DEVICE))
        images, labels = (one.to(DEVICE) for one in batch(size=(64, 64)))
        step(images, labels)  # the first one makes tables and the optimiser's moments
        gpu.waits.clear()
        for number in range(1, 4):
            set_learning_rates(step.optimizer, schedule, number)
            outcome = step(images, labels)
        assert {outcome.losses.device, outcome.gradient_norm.device} == {DEVICE}
        assert gpu.waits == {}
        assert gpu.launches
