"""SETR, UPerNet and their backbones, against plain functional PyTorch in mmseg's names."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segmodels.checkpoints.mmseg_backbones import swin, vit
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel

State = dict[str, Tensor]

# Parameters of mmsegmentation 1.2.2's networks with their auxiliary heads (=): name, classes,
# arguments, all, auxiliary heads.
COUNTS = [
    ("setr_naive", 150, {}, 305_557_592, 1_107_906),
    ("setr_pup", 150, {}, 317_290_072, 8_972_226),
    ("setr_mla", 150, {}, 309_569_262, 154_200),
    ("setr_naive", 19, {"image_size": 768, "auxiliary_convs": 1}, 306_535_500, 808_761),
    ("setr_pup", 19, {"image_size": 768}, 318_466_124, 8_871_225),
    ("setr_mla", 19, {"image_size": 768}, 310_678_111, 19_532),
    # Swin's authors print 60, 81, 121 and 234 M.
    ("upernet_swin_tiny", 150, {}, 59_941_862, 923_798),
    ("upernet_swin_small", 150, {}, 81_259_766, 923_798),
    ("upernet_swin_base", 150, {}, 121_279_716, 1_218_710),
    ("upernet_swin_base", 150, {"window": 12}, 121_415_076, 1_218_710),
    ("upernet_swin_large", 150, {}, 233_962_976, 1_808_534),
    ("upernet_swin_large", 150, {"window": 7}, 233_759_936, 1_808_534),
]

VIT = {"width": 8, "layers": 3, "heads": 2, "outputs": (1, 2, 3), "image_size": 64}
SETR = {**VIT, "channels": 6, "mla_channels": 4}
SWIN = {"width": 8, "depths": (2, 1, 2, 1), "heads": (2, 2, 4, 4), "window": 4}
UPERNET = {**SWIN, "channels": 6}
NAMES = {"setr_naive": SETR, "setr_pup": SETR, "setr_mla": SETR, "upernet_swin_tiny": UPERNET}


def small(name: str, **overrides) -> SegModel:
    """A small network in double, no tensor of which is at its initial value."""
    model = create_model(name, **{"num_classes": 5, **NAMES[name], **overrides})
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            noise = 0.2 * torch.randn_like(value)
            value.copy_(noise.abs() + 0.5 if "running_var" in key else value + noise)
    return model.double().eval()


def close(ours: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def layer_norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    """Over the last dimension."""
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def norm_map(state: State, name: str, x: Tensor) -> Tensor:
    return layer_norm(state, name, x.movedim(1, -1), 1e-6).movedim(-1, 1)


def conv_bn(state: State, name: str, x: Tensor) -> Tensor:
    weight = state[f"{name}.conv.weight"]
    y = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    mean, var = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
    affine = state[f"{name}.bn.weight"], state[f"{name}.bn.bias"]
    return F.batch_norm(y, mean, var, *affine, eps=1e-5).clamp(min=0)


def classify(state: State, x: Tensor) -> Tensor:
    return F.conv2d(x, state["conv_seg.weight"], state["conv_seg.bias"])


def resize(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def grown(x: Tensor, scale: int) -> Tensor:
    return resize(x, (scale * x.shape[-2], scale * x.shape[-1]))


@pytest.mark.parametrize(("name", "classes", "arguments", "total", "auxiliary"), COUNTS)
def test_counts(name, classes, arguments, total, auxiliary) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=classes, **arguments)
    assert sum(p.numel() for p in model.parameters()) == total
    assert sum(p.numel() for p in model.auxiliary_head.parameters()) == auxiliary


def up_head(state: State, x: Tensor, scales: tuple[int, ...]) -> Tensor:
    x = norm_map(state, "norm", x)
    for index, scale in enumerate(scales):
        x = grown(conv_bn(state, f"up_convs.{index}.0", x), scale)
    return classify(state, x)


@pytest.mark.parametrize(("name", "scales"), [("setr_naive", (4,)), ("setr_pup", (2, 2, 2, 2))])
@torch.no_grad()
def test_naive_and_pup_heads_by_hand(name, scales) -> None:
    model = small(name)
    maps = [torch.randn(2, 8, 3, 5, dtype=torch.double) for _ in range(3)]
    close(model.decode_head(maps), up_head(model.decode_head.state_dict(), maps[2], scales))
    kernel = {"setr_naive": 1, "setr_pup": 3}[name]
    assert len(model.auxiliary_head) == 2
    for index, head in enumerate(model.auxiliary_head):
        close(head(maps), up_head(head.state_dict(), maps[index], (4, 4)))
        assert head.up_convs[0][0].conv.kernel_size == (kernel, kernel)
    assert model.decode_head.up_convs[0][0].conv.kernel_size == (kernel, kernel)


@torch.no_grad()
def test_mla_by_hand() -> None:
    model = small("setr_mla")
    maps = [torch.randn(2, 8, 3, 5, dtype=torch.double) for _ in range(3)]
    neck = model.neck.state_dict()
    reduced = [
        conv_bn(neck, f"mla.channel_proj.{i}", norm_map(neck, f"norm.{i}", x))
        for i, x in enumerate(maps)
    ]
    sums = (reduced[2], reduced[2] + reduced[1], reduced[2] + reduced[1] + reduced[0])
    expected = [conv_bn(neck, f"mla.feat_extract.{i}", x) for i, x in enumerate(sums)]
    found = model.neck(maps)
    for ours, theirs in zip(found, expected, strict=True):
        close(ours, theirs)
    head = model.decode_head.state_dict()
    levels = [
        grown(conv_bn(head, f"up_convs.{i}.1", conv_bn(head, f"up_convs.{i}.0", x)), 4)
        for i, x in enumerate(expected)
    ]
    close(model.decode_head(found), classify(head, torch.cat(levels, 1)))
    for x, auxiliary in zip(expected, model.auxiliary_head, strict=True):
        close(auxiliary(found), classify(auxiliary.state_dict(), x))


def average_bins(x: Tensor, count: int) -> Tensor:
    """Averages over count x count cells, each from the floor to the ceiling of its borders."""
    height, width = x.shape[-2:]

    def cell(size: int, index: int) -> slice:
        return slice(index * size // count, math.ceil((index + 1) * size / count))

    cells = [
        x[..., cell(height, row), cell(width, column)].mean((2, 3))
        for row in range(count)
        for column in range(count)
    ]
    return torch.stack(cells, -1).unflatten(-1, (count, count))


@torch.no_grad()
def test_uper_head_by_hand() -> None:
    model = small("upernet_swin_tiny")
    state = model.decode_head.state_dict()
    sides = ((21, 13), (11, 7), (6, 4), (3, 2))
    rows = zip((8, 16, 32, 64), sides, strict=True)
    maps = [torch.randn(2, width, *side, dtype=torch.double) for width, side in rows]
    pyramid = [
        resize(conv_bn(state, f"psp_modules.{i}.1", average_bins(maps[3], count)), sides[3])
        for i, count in enumerate((1, 2, 3, 6))
    ]
    top = conv_bn(state, "bottleneck", torch.cat([maps[3], *pyramid], 1))
    third = conv_bn(state, "lateral_convs.2", maps[2]) + resize(top, sides[2])
    second = conv_bn(state, "lateral_convs.1", maps[1]) + resize(third, sides[1])
    first = conv_bn(state, "lateral_convs.0", maps[0]) + resize(second, sides[0])
    smooth = [conv_bn(state, f"fpn_convs.{i}", x) for i, x in enumerate((first, second, third))]
    levels = torch.cat([resize(x, sides[0]) for x in (*smooth, top)], 1)
    expected = classify(state, conv_bn(state, "fpn_bottleneck", levels))
    close(model.decode_head(maps), expected)
    (auxiliary,) = model.auxiliary_head
    second_state = auxiliary.state_dict()
    close(auxiliary(maps), classify(second_state, conv_bn(second_state, "convs.0", maps[2])))


def filled(shapes: dict[str, tuple[int, ...]]) -> State:
    return {key: torch.randn(shape, dtype=torch.double) * 0.5 for key, shape in shapes.items()}


def affine(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def dense(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def mmseg_vit(width: int, layers: int, tokens: int) -> State:
    """Tensors as mmsegmentation names them, for images of 4 x 4 patches of 16 pixels."""
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.cls_token": (1, 1, width),
        "backbone.pos_embed": (1, tokens, width),
        "backbone.patch_embed.projection.weight": (width, 3, 16, 16),
    }
    for index in range(layers):
        name = f"backbone.layers.{index}"
        shapes |= affine(f"{name}.ln1", width) | affine(f"{name}.ln2", width)
        shapes |= dense(f"{name}.attn.attn.out_proj", width, width)
        shapes |= dense(f"{name}.ffn.layers.0.0", 4 * width, width)
        shapes |= dense(f"{name}.ffn.layers.1", width, 4 * width)
        shapes[f"{name}.attn.attn.in_proj_weight"] = (3 * width, width)
        shapes[f"{name}.attn.attn.in_proj_bias"] = (3 * width,)
    return filled(shapes)


def vit_maps(state: State, images: Tensor, heads: int, class_token: bool) -> list[Tensor]:
    """Maps after each of the layers, with PyTorch's own attention."""
    state = {key.removeprefix("backbone."): value for key, value in state.items()}
    height, width = images.shape[-2:]
    rows, columns = math.ceil(height / 16), math.ceil(width / 16)
    canvas = images.new_zeros(len(images), 3, 16 * rows, 16 * columns)
    canvas[..., :height, :width] = images
    patches = F.conv2d(canvas, state["patch_embed.projection.weight"], stride=16)
    table = state["pos_embed"][:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    placed = patches + resize(table, (rows, columns))
    x = placed.flatten(2).transpose(1, 2)
    if class_token:
        first = state["cls_token"] + state["pos_embed"][:, :1]
        x = torch.cat([first.expand(len(images), -1, -1), x], 1)
    attention = nn.MultiheadAttention(x.shape[-1], heads, batch_first=True).double()
    maps = []
    for index in range(3):
        name = f"layers.{index}"
        prefix = f"{name}.attn.attn."
        own = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
        attention.load_state_dict(own)
        normed = layer_norm(state, f"{name}.ln1", x, 1e-6)
        x = x + attention(normed, normed, normed)[0]
        hidden = F.gelu(
            linear(state, f"{name}.ffn.layers.0.0", layer_norm(state, f"{name}.ln2", x, 1e-6))
        )
        x = x + linear(state, f"{name}.ffn.layers.1", hidden)
        patches = x[:, 1:] if class_token else x
        maps.append(patches.transpose(1, 2).unflatten(-1, (rows, columns)))
    return maps


def loaded(model: SegModel, backbone: State) -> SegModel:
    """The model with another backbone; all others keys stay."""
    others = {k: v for k, v in model.state_dict().items() if not k.startswith("backbone.")}
    model.load_state_dict({**others, **backbone})
    return model


@pytest.mark.parametrize("name", ["setr_naive", "setr_mla"])
@pytest.mark.parametrize("size", [(64, 64), (50, 81)])
@torch.no_grad()
def test_encoder_of_setr_from_mmseg_s_names(name, size) -> None:
    theirs = mmseg_vit(8, layers=3, tokens=17)
    model = loaded(small(name), vit.renamed(theirs))
    images = torch.randn(2, 3, *size, dtype=torch.double)
    expected = vit_maps(theirs, images, heads=2, class_token=name == "setr_naive")
    for ours, map_ in zip(model.backbone(images), expected, strict=True):
        close(ours, map_)


def test_vit_names_fit_segmenter_too() -> None:
    key = "backbone.layers.11.attn.attn.in_proj_bias"
    theirs = {key: torch.zeros(1), "backbone.ln1.weight": torch.zeros(2), "decode_head.x": key}
    ours = vit.renamed(theirs, encoder="encoder")
    assert list(ours) == ["encoder.blocks.11.attn.qkv.bias", "encoder.norm.weight", "decode_head.x"]
    assert list(ours.values()) == list(theirs.values())


def mmseg_swin(width: int, depths: tuple[int, ...], heads: tuple[int, ...], window: int) -> State:
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.patch_embed.projection.weight": (width, 3, 4, 4),
        "backbone.patch_embed.projection.bias": (width,),
        **affine("backbone.patch_embed.norm", width),
    }
    for stage, depth in enumerate(depths):
        size = width << stage
        shapes |= affine(f"backbone.norm{stage}", size)
        for index in range(depth):
            name = f"backbone.stages.{stage}.blocks.{index}"
            shapes |= affine(f"{name}.norm1", size) | affine(f"{name}.norm2", size)
            shapes |= dense(f"{name}.attn.w_msa.qkv", 3 * size, size)
            shapes |= dense(f"{name}.attn.w_msa.proj", size, size)
            shapes |= dense(f"{name}.ffn.layers.0.0", 4 * size, size)
            shapes |= dense(f"{name}.ffn.layers.1", size, 4 * size)
            table = f"{name}.attn.w_msa.relative_position_bias_table"
            shapes[table] = ((2 * window - 1) ** 2, heads[stage])
            shapes[f"{name}.attn.w_msa.relative_position_index"] = (window**2, window**2)
        if stage < 3:
            name = f"backbone.stages.{stage}.downsample"
            shapes |= affine(f"{name}.norm", 4 * size)
            shapes[f"{name}.reduction.weight"] = (2 * size, 4 * size)
    return filled(shapes)


def window_attention(state: State, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    """Among all tokens of the padded map at once; those of other windows weigh nothing."""
    _, height, width, _ = x.shape
    rows, columns = (window * math.ceil(side / window) for side in (height, width))
    padded = F.pad(x, (0, 0, 0, columns - width, 0, rows - height)).flatten(1, 2)
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    shifted = (places - shift) % torch.tensor([rows, columns])
    apart = shifted[:, None] - shifted  # (N, N, 2)
    same_window = (shifted[:, None] // window == shifted // window).all(-1)
    wrapped = (apart != places[:, None] - places).any(-1)
    index = (apart + window - 1).clamp(0, 2 * window - 2)
    bias = state["relative_position_bias_table"][index[..., 0] * (2 * window - 1) + index[..., 1]]
    query, key, value = (
        part.unflatten(-1, (heads, -1)) for part in linear(state, "qkv", padded).chunk(3, -1)
    )
    scores = torch.einsum("bihc,bjhc->bijh", query, key) / query.shape[-1] ** 0.5
    scores = scores + bias - 100.0 * wrapped[..., None]
    weights = scores.masked_fill(~same_window[..., None], -math.inf).softmax(2)
    mixed = torch.einsum("bijh,bjhc->bihc", weights, value).flatten(2)
    return linear(state, "proj", mixed).unflatten(1, (rows, columns))[:, :height, :width]


def below(state: State, prefix: str) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def swin_block(state: State, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    attention = below(state, "attn.w_msa.")
    normed = layer_norm(state, "norm1", x, 1e-5)
    x = x + window_attention(attention, normed, heads, window, shift)
    hidden = F.gelu(linear(state, "ffn.layers.0.0", layer_norm(state, "norm2", x, 1e-5)))
    return x + linear(state, "ffn.layers.1", hidden)


def merged(state: State, x: Tensor) -> Tensor:
    """Squares of 2 x 2 in the order of ``unfold``, which is mmsegmentation's."""
    x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2)).permute(0, 3, 1, 2)
    rows, columns = x.shape[-2] // 2, x.shape[-1] // 2
    squares = F.unfold(x, 2, stride=2).transpose(1, 2).unflatten(1, (rows, columns))
    return linear(state, "reduction", layer_norm(state, "norm", squares, 1e-5))


def swin_maps(
    state: State, images: Tensor, depths: tuple[int, ...], heads: tuple[int, ...], window: int
) -> list[Tensor]:
    state = below(state, "backbone.")
    height, width = images.shape[-2:]
    canvas = F.pad(images, (0, -width % 4, 0, -height % 4))
    projection = below(state, "patch_embed.projection.")
    x = F.conv2d(canvas, projection["weight"], projection["bias"], stride=4).movedim(1, -1)
    x = layer_norm(state, "patch_embed.norm", x, 1e-5)
    maps = []
    for stage, depth in enumerate(depths):
        for index in range(depth):
            block = below(state, f"stages.{stage}.blocks.{index}.")
            x = swin_block(block, x, heads[stage], window, window // 2 if index % 2 else 0)
        maps.append(layer_norm(state, f"norm{stage}", x, 1e-5).movedim(-1, 1))
        if stage < 3:
            x = merged(below(state, f"stages.{stage}.downsample."), x)
    return maps


@pytest.mark.parametrize("window", [4, 3])
@pytest.mark.parametrize("size", [(64, 64), (50, 39), (7, 3)])
@torch.no_grad()
def test_swin_from_mmseg_s_names(window, size) -> None:
    depths, heads = SWIN["depths"], SWIN["heads"]
    theirs = mmseg_swin(8, depths, heads, window)
    model = loaded(small("upernet_swin_tiny", window=window), swin.renamed(theirs))
    images = torch.randn(2, 3, *size, dtype=torch.double)
    expected = swin_maps(theirs, images, depths, heads, window)
    for ours, map_ in zip(model.backbone(images), expected, strict=True):
        close(ours, map_)


def test_swin_of_its_authors_has_our_names() -> None:
    model = small("upernet_swin_tiny")
    state = model.state_dict()
    index = "backbone.layers.0.blocks.0.attn.relative_position_index"
    renamed = swin.renamed({**state, index: torch.zeros(16, 16)})
    assert list(renamed) == list(state)
    assert all(torch.equal(renamed[key], state[key]) for key in state)


@pytest.mark.parametrize(
    ("name", "low"),
    [
        ("setr_naive", (16, 24)),
        ("setr_pup", (64, 96)),
        ("setr_mla", (16, 24)),
        ("upernet_swin_tiny", (13, 21)),
    ],
)
@torch.no_grad()
def test_logits_are_resized_straight_to_the_image(name, low) -> None:
    model = small(name)
    images = torch.randn(1, 3, 50, 81, dtype=torch.double)
    logits = model.forward_lowres(images)
    assert logits.shape == (1, 5, *low)
    close(model(images), resize(logits, (50, 81)))


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_images_of_a_batch_do_not_mix(name) -> None:
    model = small(name)
    images = torch.randn(2, 3, 21, 70, dtype=torch.double)
    close(model(images)[1:], model(images[1:]))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("setr_naive", [(12, 8), (48, 32), (48, 32)]),
        ("setr_pup", [(48, 32), (48, 32), (48, 32)]),
        ("setr_mla", [(12, 8), (3, 2), (3, 2), (3, 2)]),
        ("upernet_swin_tiny", [(12, 8), (3, 2)]),
    ],
)
def test_training_sees_every_head_and_parameter(name, sizes) -> None:
    model = small(name).train()
    images = torch.randn(2, 3, 48, 32, dtype=torch.double)
    supervised = model.forward_supervised(images)
    assert [tuple(logits.shape[-2:]) for logits, _ in supervised] == sizes
    assert [weight for _, weight in supervised] == [1.0] + [0.4] * (len(sizes) - 1)
    torch.stack([logits.square().sum() for logits, _ in supervised]).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    alone = small(name, auxiliary=False)
    assert len(alone.forward_supervised(images)) == 1
    assert not [key for key in alone.state_dict() if key.startswith("auxiliary_head")]


@pytest.mark.parametrize("name", ["setr_mla", "upernet_swin_tiny"])
def test_checkpointing_changes_no_gradient(name) -> None:
    model = small(name, drop_path=0.3).train()
    images = torch.randn(2, 3, 40, 24, dtype=torch.double)

    def gradients() -> list[Tensor]:
        torch.manual_seed(3)
        loss = sum(logits.square().sum() for logits, _ in model.forward_supervised(images))
        return list(torch.autograd.grad(loss, list(model.parameters())))

    plain = gradients()
    runs = []
    block = next(m for m in model.backbone.modules() if type(m).__name__ == "Block")
    block.register_forward_pre_hook(lambda *_: runs.append(1))
    model.set_grad_checkpointing()
    for ours, expected in zip(gradients(), plain, strict=True):
        close(ours, expected)
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("setr_naive", {"decoder": "up"}, "'decoder' must be 'naive' or 'pup' or 'mla'"),
        ("setr_naive", {"layers": 12}, "outputs must be .* the last one, 12"),
        ("setr_naive", {"outputs": ()}, "outputs must be"),
        ("setr_naive", {"outputs": (0, 24)}, "outputs must be"),
        ("setr_mla", {"outputs": (12, 6, 24)}, "outputs must be ascending"),
        ("setr_pup", {"auxiliary_convs": 0}, "auxiliary_convs must be at least 1"),
        ("upernet_swin_tiny", {"depths": (2, 2)}, "depths must be 4 positive numbers"),
        ("upernet_swin_tiny", {"heads": (3, 6, 12, 23)}, "width 768 does not divide by 23 heads"),
        ("upernet_swin_tiny", {"window": 0}, "window must be at least 1"),
        ("upernet_swin_tiny", {"channels": 0}, "channels must be at least 1"),
        (
            "upernet_swin_tiny",
            {"dropout": 1.0},
            "'dropout': .* at least 0 and below 1, found 1",
        ),
    ],
)
def test_impossible_arguments_are_told(name, overrides, message) -> None:
    with pytest.raises(SegmodelsError, match=message), torch.device("meta"):
        create_model(name, **overrides)
