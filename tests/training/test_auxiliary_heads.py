"""Steps of FCN and SETR with their heads written out once more, tensor by tensor.

The second computation has the maps of the backbone (MLA: of its neck) and nothing else of ours:
convolution, statistics of the batch, ReLU, the sum of the losses, SGD and the learning rate are
spelled out as mmsegmentation's configurations word them. All is compared in double precision: the
loss of each head, weights, momentum, running statistics and their counters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

from segmodels.core.arrays import VOID
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.own import wrap_network
from segmodels.models.preprocessing import IMAGENET
from segmodels.training.loss import Loss
from segmodels.training.optimizer import build_optimizer, set_learning_rates
from segmodels.training.reading import load_recipe
from segmodels.training.recipe import Recipe
from segmodels.training.schedule import Schedule
from segmodels.training.step import Step

RECIPES = Path(__file__).resolve().parents[2] / "params" / "recipes"
STEPS, TOTAL, CLASSES, SIDE = 2, 20, 3, 64

_VIT: dict[str, Any] = {
    "image_size": SIDE,
    "patch_size": 16,
    "width": 24,
    "layers": 3,
    "heads": 3,
    "imagenet_classes": 0,
    "outputs": (1, 2, 3),
    "channels": 8,
}


class Written:
    """Heads written out: tensors by name, and running statistics that move along."""

    def __init__(self, model: SegModel) -> None:
        self.model = model
        self.tensors = dict(model.state_dict(keep_vars=True))

    def conv_bn(self, name: str, x: Tensor) -> Tensor:
        weight = self.tensors[f"{name}.conv.weight"]
        y = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        number = y.numel() // y.shape[1]
        mean = y.mean((0, 2, 3))
        variance = (y - mean[:, None, None]).square().mean((0, 2, 3))
        moving = {"running_mean": mean, "running_var": variance * number / (number - 1)}
        for key, value in moving.items():
            kept = self.tensors[f"{name}.bn.{key}"]
            kept.copy_(0.9 * kept + 0.1 * value.detach())
        self.tensors[f"{name}.bn.num_batches_tracked"].add_(1)
        y = (y - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        scale, shift = (self.tensors[f"{name}.bn.{key}"] for key in ("weight", "bias"))
        return (y * scale[:, None, None] + shift[:, None, None]).clamp_min(0)

    def classified(self, name: str, x: Tensor) -> Tensor:
        weight, bias = (self.tensors[f"{name}.conv_seg.{key}"] for key in ("weight", "bias"))
        return torch.einsum("bchw,kc->bkhw", x, weight[:, :, 0, 0]) + bias[:, None, None]

    def normed(self, name: str, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).square().mean(1, keepdim=True)
        scale, shift = (self.tensors[f"{name}.{key}"] for key in ("weight", "bias"))
        x = (x - mean) / (variance + 1e-6).sqrt()
        return x * scale[:, None, None] + shift[:, None, None]

    def ups(self, name: str, x: Tensor, convolutions: int, scale: int) -> Tensor:
        """Naive's and PUP's: a norm, then convolutions that are each followed by upsampling."""
        x = self.normed(f"{name}.norm", x)
        for number in range(convolutions):
            x = self.conv_bn(f"{name}.up_convs.{number}.0", x)
            x = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        return self.classified(name, x)


Heads = Callable[[Written, Sequence[Tensor]], list[Tensor]]


def fcn(net: Written, maps: Sequence[Tensor]) -> list[Tensor]:
    x = maps[-1]
    y = net.conv_bn("decode_head.convs.1", net.conv_bn("decode_head.convs.0", x))
    y = net.conv_bn("decode_head.conv_cat", torch.cat([x, y], 1))
    auxiliary = net.conv_bn("auxiliary_head.0.convs.0", maps[2])
    return [net.classified("decode_head", y), net.classified("auxiliary_head.0", auxiliary)]


def naive(net: Written, maps: Sequence[Tensor]) -> list[Tensor]:
    auxiliary = [net.ups(f"auxiliary_head.{level}", maps[level], 2, 4) for level in (0, 1)]
    return [net.ups("decode_head", maps[2], 1, 4), *auxiliary]


def pup(net: Written, maps: Sequence[Tensor]) -> list[Tensor]:
    auxiliary = [net.ups(f"auxiliary_head.{level}", maps[level], 2, 4) for level in (0, 1)]
    return [net.ups("decode_head", maps[2], 4, 2), *auxiliary]


def mla(net: Written, maps: Sequence[Tensor]) -> list[Tensor]:
    """Its auxiliary heads are a classifier on each map of the neck, from deep to shallow."""
    up = []
    for level, x in enumerate(maps):
        convs = f"decode_head.up_convs.{level}"
        y = net.conv_bn(f"{convs}.1", net.conv_bn(f"{convs}.0", x))
        up.append(F.interpolate(y, scale_factor=4, mode="bilinear", align_corners=False))
    auxiliary = [net.classified(f"auxiliary_head.{level}", x) for level, x in enumerate(maps)]
    return [net.classified("decode_head", torch.cat(up, 1)), *auxiliary]


#: By name of the network: what makes it small, its recipe, its heads, factor on their learning
#: rate, and weight decay.
CASES: dict[str, tuple[dict[str, Any], str, Heads, float, float]] = {
    "fcn_mobilenetv2": (
        {"channels": 8, "dropout": 0.0},
        "mobilenetv2-cityscapes-80k",
        fcn,
        1,
        5e-4,
    ),
    "setr_naive": ({**_VIT, "auxiliary_convs": 2}, "setr-naive-ade20k", naive, 10, 0),
    "setr_pup": (_VIT, "setr-pup-ade20k", pup, 10, 0),
    "setr_mla": ({**_VIT, "mla_channels": 4}, "setr-mla-ade20k", mla, 10, 0),
}


def batch(step: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(step)
    images = torch.randn(2, 3, SIDE, SIDE, generator=random).double()
    labels = torch.randint(0, CLASSES, (2, SIDE, SIDE), generator=random)
    labels[0, : 10 + step] = VOID
    return images, labels


def by_hand(model: SegModel, heads: Heads, recipe: Recipe, factor: float, decay: float) -> Any:
    """Losses of every step and head, and momentum by name; the model's tensors move."""
    momentum: dict[str, Tensor] = {}
    losses = []
    for step in range(STEPS):
        images, labels = batch(step)
        net = Written(model.train())
        logits = heads(net, model.features(images))
        terms = []
        for number, low in enumerate(logits):
            full = F.interpolate(low, (SIDE, SIDE), mode="bilinear", align_corners=False)
            logs = full.log_softmax(1)
            known = labels != VOID
            chosen = logs.gather(1, torch.where(known, labels, 0)[:, None])[:, 0]
            mean = -(chosen * known).sum() / (labels.numel() + torch.finfo(torch.float32).eps)
            terms.append((0.4 if number else 1.0) * mean)
        losses.append([term.item() for term in terms])
        parameters = dict(model.named_parameters())
        gradients = torch.autograd.grad(sum(terms, torch.zeros(())), list(parameters.values()))
        for (name, weight), gradient in zip(parameters.items(), gradients, strict=True):
            times = factor if "head" in name else 1
            lr = (recipe.lr * times - 1e-4) * (1 - step / (TOTAL - 1)) ** 0.9 + 1e-4
            pull = gradient + decay * weight.detach()
            momentum[name] = pull + 0.9 * momentum.get(name, torch.zeros_like(pull))
            with torch.no_grad():
                weight.sub_(lr * momentum[name])
    return losses, momentum


def built(name: str, small: dict[str, Any]) -> SegModel:
    torch.manual_seed(0)
    model = create_model(name, num_classes=CLASSES, **small).double()
    for key, tensor in model.state_dict().items():
        if tensor.ndim == 1:  # norms and biases begin alike; here they may not be exchanged
            generator = torch.Generator().manual_seed(len(key))
            tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator))
    return model


@pytest.mark.parametrize("name", CASES)
def test_steps_of_all_heads_are_those_written_out(name: str) -> None:
    small, named, heads, factor, decay = CASES[name]
    change: dict[str, Any] = {"initial": None, "steps": TOTAL, "batch": 2, "crop": (SIDE, SIDE)}
    recipe = load_recipe(named, RECIPES).replace(**change)
    model, other = built(name, small), built(name, small)
    optimizer = build_optimizer(model, recipe)
    weight = torch.ones(CLASSES, dtype=torch.float64)
    step = Step(model, optimizer, Loss(weight, recipe.loss_mean), recipe)
    losses = []
    for number in range(STEPS):
        set_learning_rates(optimizer, Schedule(recipe, TOTAL), number)
        losses.append(step(*batch(number)).losses.tolist())
    expected, momentum = by_hand(other, heads, recipe, factor, decay)
    assert [len(terms) for terms in losses] == [len(expected[0])] * STEPS
    assert len(expected[0]) > 1
    for found, terms in zip(losses, expected, strict=True):
        assert found == pytest.approx(terms, rel=1e-10)
    counters = 0
    for key, tensor in other.state_dict().items():
        counters += key.endswith("num_batches_tracked")
        torch.testing.assert_close(model.state_dict()[key], tensor, rtol=1e-8, atol=1e-10, msg=key)
    assert counters
    for key, parameter in model.named_parameters():
        buffer = optimizer.state[parameter]["momentum_buffer"]
        torch.testing.assert_close(buffer, momentum[key], rtol=1e-7, atol=1e-10, msg=key)


class TwoHeads(nn.Module):
    """Gives what torchvision's networks give."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features, self.more = nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.Conv2d(8, 8, 1)
        self.classifier, self.aux_classifier = nn.Conv2d(8, CLASSES, 1), nn.Conv2d(8, CLASSES, 1)
        self.preprocessing = {"mean": (0, 0, 0), "std": (1, 1, 1), "range": 1}
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x = self.features(images)
        given = {"out": self.classifier(self.more(x))}
        return given if self.aux_classifier is None else {**given, "aux": self.aux_classifier(x)}


@pytest.mark.parametrize(
    ("own", "fixed", "share"),
    [(None, None, None), (None, 0.3, None), (0.5, None, 0.5), (0.5, 0.3, 0.3)],
)
def test_auxiliary_heads_of_ones_own(
    own: float | None, fixed: float | None, share: float | None
) -> None:
    """Trained where the network says what their loss weighs; the recipe may say otherwise then."""
    network = TwoHeads(auxiliary_weight=own)
    recipe = Recipe(
        name="r",
        title="",
        steps=4,
        batch=2,
        crop=(SIDE, SIDE),
        lr=0.1,
        auxiliary_weight=fixed,
        optimizer="sgd",
        weight_decay=0.1,
        clip="none",
    )
    before = network.aux_classifier.weight.detach().clone()
    model = wrap_network(network, num_classes=CLASSES)
    step = Step(model, build_optimizer(model, recipe), Loss(torch.ones(CLASSES)), recipe)
    images, labels = batch(0)
    given = network(images.float())
    found = step(images.float(), labels).losses.tolist()
    full = [F.interpolate(given[name], (SIDE, SIDE), mode="bilinear") for name in ("out", "aux")]
    terms = [F.cross_entropy(one, labels, ignore_index=VOID) for one in full]
    expected = [terms[0].item(), *([] if share is None else [share * terms[1].item()])]
    assert found == pytest.approx(expected, rel=1e-5)
    assert torch.equal(network.aux_classifier.weight, before) == (share is None)


def test_an_auxiliary_head_that_is_not_there() -> None:
    plain = nn.Conv2d(3, CLASSES, 1)
    plain.preprocessing = {"mean": (0, 0, 0), "std": (1, 1, 1), "range": 1}
    plain.auxiliary_weight = 0.4
    model = wrap_network(plain, num_classes=CLASSES)
    images = torch.randn(2, 3, 8, 8)
    assert model(images).shape[1] == CLASSES
    with pytest.raises(
        SegmodelsError, match=r"'aux' of its output, for which .* is None; expected logits"
    ):
        model.forward_supervised(images)
    network = TwoHeads(auxiliary_weight=0.4)
    network.aux_classifier = None
    with pytest.raises(SegmodelsError, match=r"'aux' of its output, .* is None; expected logits"):
        wrap_network(network, num_classes=CLASSES).forward_supervised(images)


@pytest.mark.parametrize("weight", [-1, True, "0.4", float("inf")])
def test_what_is_no_weight_of_an_auxiliary_head(weight: Any) -> None:
    with pytest.raises(
        SegmodelsError, match=r"'auxiliary_weight' is .*expected a number of at least"
    ):
        wrap_network(TwoHeads(auxiliary_weight=weight), num_classes=CLASSES)


def test_auxiliary_heads_of_torchvision() -> None:
    network = deeplabv3_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True
    )
    network.auxiliary_weight = 0.5
    network.preprocessing = IMAGENET
    (main, one), (auxiliary, weight) = wrap_network(network).forward_supervised(
        torch.randn(2, 3, 32, 48)
    )
    assert (one, weight) == (1.0, 0.5)
    assert main.shape == auxiliary.shape == (2, CLASSES, 32, 48)
