"""FCN, PSPNet and DeepLabV3+ on dilated backbones, against plain functional PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.checkpoints.mmseg_backbones import mobilenet, resnet
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel

State = dict[str, Tensor]

# Parameters of mmsegmentation 1.2.2's networks with their auxiliary heads, 150 classes (=).
# Those that the SegFormer paper quotes round to its figures (tables 2 and 4), except for the
# last, 15.4 M there.
COUNTS = {
    "fcn_resnet50": 49_598_604,
    "fcn_resnet101": 68_590_732,
    "fcn_mobilenetv2": 9_819_692,
    "pspnet_resnet50": 49_076_364,
    "pspnet_resnet101": 68_068_492,
    "pspnet_mobilenetv2": 13_721_132,
    "deeplabv3plus_resnet50": 43_690_748,
    "deeplabv3plus_resnet101": 62_682_876,
    "deeplabv3plus_mobilenetv2": 15_345_244,
}
# Two classifiers, on 512 and 256 channels and a bias each.
PER_CLASS = 512 + 256 + 2
BACKBONES = {"resnet50": 23_527_264, "resnet101": 42_519_392, "mobilenetv2": 1_811_712}
SMALL = {"channels": 6, "num_classes": 5}


def meta(name: str, **arguments) -> SegModel:
    with torch.device("meta"):
        return create_model(name, **arguments)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def randomised(name: str, **overrides) -> SegModel:
    """A small network whose BatchNorms do something."""
    model = create_model(name, **{**SMALL, **overrides})
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data.add_(0.2 * torch.randn_like(tensor))
            module.running_var.uniform_(0.5, 1.5)
    nn.init.normal_(model.decode_head.conv_seg.weight)
    nn.init.normal_(model.decode_head.conv_seg.bias)
    return model.double().eval()


def conv_bn(state: State, name: str, x: Tensor, dilation: int = 1) -> Tensor:
    weight = state[f"{name}.conv.weight"]
    padding = dilation * (weight.shape[-1] // 2)
    groups = x.shape[1] // weight.shape[1]
    y = F.conv2d(x, weight, padding=padding, dilation=dilation, groups=groups)
    return norm(state, f"{name}.bn", y).clamp(min=0)


def norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-5)


def separable(state: State, name: str, x: Tensor, dilation: int = 1) -> Tensor:
    x = conv_bn(state, f"{name}.depthwise_conv", x, dilation)
    return conv_bn(state, f"{name}.pointwise_conv", x)


def resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def classify(state: State, x: Tensor) -> Tensor:
    return F.conv2d(x, state["conv_seg.weight"], state["conv_seg.bias"])


def fcn(state: State, maps: list[Tensor]) -> Tensor:
    y = conv_bn(state, "convs.1", conv_bn(state, "convs.0", maps[3]))
    return classify(state, conv_bn(state, "conv_cat", torch.cat([maps[3], y], 1)))


def auxiliary(state: State, maps: list[Tensor]) -> Tensor:
    return classify(state, conv_bn(state, "convs.0", maps[2]))


def bins(x: Tensor, count: int) -> Tensor:
    """Averages over count x count cells, each from the floor to the ceiling of its borders."""

    def cells(size: int) -> Iterator[slice]:
        for index in range(count):
            yield slice(index * size // count, -(-(index + 1) * size // count))

    height, width = x.shape[-2:]
    rows = [
        torch.stack([x[..., r, c].mean((2, 3)) for c in cells(width)], -1) for r in cells(height)
    ]
    return torch.stack(rows, -2)


def pspnet(state: State, maps: list[Tensor]) -> Tensor:
    x = maps[3]
    levels = [x]
    for index, count in enumerate((1, 2, 3, 6)):
        pooled = conv_bn(state, f"psp_modules.{index}.1", bins(x, count))
        levels.append(resize(pooled, x))
    return classify(state, conv_bn(state, "bottleneck", torch.cat(levels, 1)))


def deeplabv3plus(state: State, maps: list[Tensor]) -> Tensor:
    x = maps[3]
    branches = [
        resize(conv_bn(state, "image_pool.1", x.mean((2, 3), keepdim=True)), x),
        conv_bn(state, "aspp_modules.0", x),
        separable(state, "aspp_modules.1", x, 12),
        separable(state, "aspp_modules.2", x, 24),
        separable(state, "aspp_modules.3", x, 36),
    ]
    context = conv_bn(state, "bottleneck", torch.cat(branches, 1))
    fine = conv_bn(state, "c1_bottleneck", maps[0])
    y = torch.cat([resize(context, fine), fine], 1)
    for index in range(2):
        y = separable(state, f"sep_bottleneck.{index}", y)
    return classify(state, y)


HEADS = {"fcn": fcn, "pspnet": pspnet, "deeplabv3plus": deeplabv3plus}


@pytest.mark.parametrize("name", HEADS)
@torch.no_grad()
def test_heads_by_hand(name) -> None:
    model = randomised(f"{name}_mobilenetv2")
    sides = ((70, 82), (35, 41), (35, 41), (35, 41))  # the branch of dilation 36 sees neighbours
    widths = (24, 32, 96, 320)
    maps = [torch.randn(2, w, *s, dtype=torch.double) for w, s in zip(widths, sides, strict=True)]
    expected = HEADS[name](model.decode_head.state_dict(), maps)
    torch.testing.assert_close(model.decode_head(maps), expected, rtol=1e-9, atol=1e-9)
    second = model.auxiliary_head[0]
    expected = auxiliary(second.state_dict(), maps)
    torch.testing.assert_close(second(maps), expected, rtol=1e-9, atol=1e-9)


def mobilenetv2(state: State, x: Tensor) -> list[Tensor]:
    """MobileNetV2 as mmsegmentation dilates it: the first block of a stage and no other."""

    def conv(name: str, bn: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        padding = dilation * (weight.shape[-1] // 2)
        groups = x.shape[1] // weight.shape[1]
        return norm(state, bn, F.conv2d(x, weight, None, stride, padding, dilation, groups))

    strides, dilations = (1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4)
    maps = []
    x = F.relu6(conv("conv_stem", "bn1", x, stride=2))
    for stage, depth in enumerate((1, 2, 3, 4, 3, 3, 1)):
        for index in range(depth):
            block = f"blocks.{stage}.{index}"
            stride, dilation = (1, 1) if index else (strides[stage], dilations[stage])
            number = 1 if stage == 0 else 2
            y = x if stage == 0 else F.relu6(conv(f"{block}.conv_pw", f"{block}.bn1", x))
            y = F.relu6(conv(f"{block}.conv_dw", f"{block}.bn{number}", y, stride, dilation))
            last = "conv_pw" if stage == 0 else "conv_pwl"
            y = conv(f"{block}.{last}", f"{block}.bn{number + 1}", y)
            x = x + y if index else y
        maps.append(x)
    return [maps[1], maps[2], maps[4], maps[6]]


def resnet50(state: State, x: Tensor) -> list[Tensor]:
    """ResNet-50-V1c at 1/8: where a stride was, the first block keeps the old dilation."""

    def conv(name: str, bn: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        padding = dilation * (weight.shape[-1] // 2)
        return norm(state, bn, F.conv2d(x, weight, None, stride, padding, dilation))

    x = conv("conv1.0", "conv1.1", x, stride=2).relu()
    x = conv("conv1.6", "bn1", conv("conv1.3", "conv1.4", x).relu()).relu()
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    maps = []
    stages = ((3, 1, 1, 1), (4, 2, 1, 1), (6, 1, 1, 2), (3, 1, 2, 4))
    for number, (depth, stride, first, rate) in enumerate(stages, start=1):
        for index in range(depth):
            block = f"layer{number}.{index}"
            step, dilation = (1, rate) if index else (stride, first)
            y = conv(f"{block}.conv1", f"{block}.bn1", x).relu()
            y = conv(f"{block}.conv2", f"{block}.bn2", y, step, dilation).relu()
            y = conv(f"{block}.conv3", f"{block}.bn3", y)
            if index == 0:
                x = conv(f"{block}.downsample.0", f"{block}.downsample.1", x, step)
            x = (x + y).relu()
        maps.append(x)
    return maps


@pytest.mark.parametrize(
    ("name", "by_hand", "sides"),
    [("resnet50", resnet50, (33, 47)), ("mobilenetv2", mobilenetv2, (65, 97))],
)
@torch.no_grad()
def test_backbones_by_hand(name, by_hand: Callable[[State, Tensor], list[Tensor]], sides) -> None:
    model = randomised(f"fcn_{name}")
    images = torch.randn(1, 3, *sides, dtype=torch.double)
    expected = by_hand(model.backbone.state_dict(), images)
    strides = (4, 8, 8, 8)
    sizes = [[-(-side // stride) for side in sides] for stride in strides]
    assert [list(x.shape[-2:]) for x in expected] == sizes
    torch.testing.assert_close(model.features(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name) -> None:
    model = meta(name)
    assert parameters(model) == COUNTS[name]
    assert parameters(model.backbone) == BACKBONES[name.split("_")[1]]
    assert parameters(meta(name, num_classes=19)) == COUNTS[name] - 131 * PER_CLASS


def test_dilations() -> None:
    def rates(name: str) -> dict[str, int]:
        modules = meta(name).backbone.named_modules()
        convs = {key: m for key, m in modules if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 1}
        assert all(m.padding == m.dilation for m in convs.values())
        return {key: m.dilation[0] for key, m in convs.items() if m.dilation[0] > 1}

    first = {"blocks.3.0": 2, "blocks.4.0": 2, "blocks.5.0": 4, "blocks.6.0": 4}
    assert rates("fcn_mobilenetv2") == {f"{key}.conv_dw": rate for key, rate in first.items()}
    for name, depth in (("fcn_resnet50", 6), ("fcn_resnet101", 23)):
        third = {f"layer3.{index}.conv2": 2 for index in range(1, depth)}
        fourth = {"layer4.0.conv2": 2, "layer4.1.conv2": 4, "layer4.2.conv2": 4}
        assert rates(name) == {**third, **fourth}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("sides", [(1, 1), (33, 47), (64, 40)])
@torch.no_grad()
def test_images_of_any_size(name, sides) -> None:
    model = create_model(f"{name}_mobilenetv2", **SMALL).eval()
    images = torch.randn(1, 3, *sides)
    stride = 4 if name == "deeplabv3plus" else 8
    logits = model.forward_lowres(images)
    assert logits.shape == (1, 5, *(-(-side // stride) for side in sides))
    upsampled = F.interpolate(logits, sides, mode="bilinear", align_corners=False)
    assert torch.equal(model(images), upsampled)


def test_the_auxiliary_head_learns_from_the_third_map_and_is_never_asked() -> None:
    model = randomised("fcn_mobilenetv2")
    images = torch.randn(2, 3, 33, 47, dtype=torch.double)
    (logits, weight), (second, second_weight) = model.forward_supervised(images)
    assert (weight, second_weight) == (1.0, 0.4)
    torch.testing.assert_close(logits, model.forward_lowres(images), rtol=0, atol=0)
    maps = model.features(images)
    assert maps[2].shape[1] == 96
    torch.testing.assert_close(second, model.auxiliary_head[0](maps), rtol=0, atol=0)
    second.sum().backward()
    assert model.backbone.blocks[4][0].conv_dw.weight.grad is not None
    assert model.backbone.blocks[5][0].conv_dw.weight.grad is None
    model.auxiliary_head = nn.ModuleList([nn.Identity()])
    assert torch.equal(model.forward_lowres(images), logits)


def test_without_an_auxiliary_head() -> None:
    model = create_model("pspnet_mobilenetv2", auxiliary=False, **SMALL).eval()
    assert not [key for key in model.state_dict() if "auxiliary" in key]
    assert len(model.forward_supervised(torch.randn(1, 3, 16, 16))) == 1


@pytest.mark.parametrize("name", ["pspnet_mobilenetv2", "deeplabv3plus_mobilenetv2"])
def test_a_batch_of_one_image_cannot_train(name) -> None:
    model = create_model(name, **SMALL)
    with pytest.raises(SegmodelsError, match="batches of 2 images or more"):
        model.forward_supervised(torch.randn(1, 3, 32, 32))
    model.forward_supervised(torch.randn(2, 3, 32, 32))
    frozen = copy.deepcopy(model)
    for module in frozen.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    frozen.forward_supervised(torch.randn(1, 3, 32, 32))
    model.eval()(torch.randn(1, 3, 32, 32))


def test_fcn_trains_on_a_single_image() -> None:
    create_model("fcn_mobilenetv2", **SMALL).forward_supervised(torch.randn(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("fcn_resnet50", {"backbone": "resnet50"}, "'backbone' must be 'resnet50c' or"),
        ("pspnet_resnet50", {"channels": 0}, "channels must be at least 1, got 0"),
        (
            "fcn_mobilenetv2",
            {"dropout": 1.0},
            "'dropout': .* at least 0 and below 1, found 1",
        ),
        ("deeplabv3plus_resnet50", {"fine_channels": 0}, "fine_channels must be at least 1"),
        ("pspnet_resnet50", {"fine_channels": 48}, "has no argument 'fine_channels'"),
    ],
)
def test_impossible_arguments_are_told(name, overrides, message) -> None:
    with pytest.raises(SegmodelsError, match=message):
        meta(name, **overrides)


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3plus_mobilenetv2"])
def test_batch_norm_forbids_to_compute_blocks_twice(name) -> None:
    with pytest.raises(SegmodelsError, match="would count every batch twice"):
        meta(name).set_grad_checkpointing()


@torch.no_grad()
def test_fresh_classifiers_are_nearly_indifferent() -> None:
    model = create_model("deeplabv3plus_mobilenetv2", **SMALL)
    for head in (model.decode_head, *model.auxiliary_head):
        assert not head.conv_seg.bias.any()
        assert 0.005 < head.conv_seg.weight.std() < 0.015


def norms(name: str) -> list[str]:
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [f"{name}.{kind}" for kind in kinds]


def mmseg_mobilenetv2() -> Iterator[str]:
    yield from ("backbone.conv1.conv.weight", *norms("backbone.conv1.bn"))
    for layer, depth in enumerate((1, 2, 3, 4, 3, 3, 1), start=1):
        for index in range(depth):
            for part in range(2 if layer == 1 else 3):
                name = f"backbone.layer{layer}.{index}.conv.{part}"
                yield from (f"{name}.conv.weight", *norms(f"{name}.bn"))


def mmseg_resnet50() -> Iterator[str]:
    for index in (0, 3, 6):
        yield from (f"backbone.stem.{index}.weight", *norms(f"backbone.stem.{index + 1}"))
    for layer, depth in enumerate((3, 4, 6, 3), start=1):
        for index in range(depth):
            name = f"backbone.layer{layer}.{index}"
            for part in (1, 2, 3):
                yield from (f"{name}.conv{part}.weight", *norms(f"{name}.bn{part}"))
            if index == 0:
                yield from (f"{name}.downsample.0.weight", *norms(f"{name}.downsample.1"))


@pytest.mark.parametrize(
    ("name", "renamed", "theirs"),
    [
        ("fcn_resnet50", resnet.renamed, mmseg_resnet50),
        ("fcn_mobilenetv2", mobilenet.renamed, mmseg_mobilenetv2),
    ],
)
def test_names_of_mmsegmentation(name, renamed, theirs) -> None:
    """In order too: both list a block's layers as they are applied."""
    keys = [*theirs(), "decode_head.convs.0.conv.weight", "auxiliary_head.conv_seg.bias"]
    numbers = {key: torch.tensor(index) for index, key in enumerate(keys)}
    ours = renamed(numbers)
    assert [int(number) for number in ours.values()] == list(range(len(keys)))
    wanted = [key for key in meta(name).state_dict() if key.startswith("backbone.")]
    # ResNet's shapes cannot tell bn1 from bn2; only the order of the names can.
    assert list(ours) == [*wanted, *keys[-2:]]
