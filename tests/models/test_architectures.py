"""Parts no reference vector covers, against a plain second implementation written here."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.depict import SubspaceAttention
from segmodels.models.drop_path import DropPath, schedule
from segmodels.models.vit import resize_positions


def randomised(model: nn.Module) -> nn.Module:
    """Every parameter and statistic away from its initial value, so that none can hide."""
    generator = torch.Generator().manual_seed(5)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            noise = 0.2 * torch.randn(value.shape, generator=generator)
            value.copy_(noise.abs() + 0.5 if "running_var" in name else value + noise)
    return model.eval()


def depict_ca(state: dict[str, torch.Tensor], patches: torch.Tensor, heads: int) -> torch.Tensor:
    """DEPICT-CA's decoder, loop by loop."""
    width = patches.shape[-1]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias, 1e-5)

    def step(queries: torch.Tensor, keys: torch.Tensor, name: str) -> torch.Tensor:
        projection = state[f"{name}.fn.proj"]
        size = len(projection) // heads
        total = torch.zeros_like(queries)
        for part in projection.split(size):
            scores = (queries @ part.T) @ (keys @ part.T).transpose(1, 2) / size**0.5
            total = total + scores.softmax(-1) @ (keys @ part.T) @ part
        return state[f"{name}.fn.step_size"] * total

    x = patches
    for index in range(2):
        normed = norm(x, f"snet.layers.{index}.norm")
        x = x + step(normed, normed, f"snet.layers.{index}")
    x = norm(x, "snorm")
    classes = state["cls_emb"].expand(len(x), -1, width)
    for index in range(3):
        name = f"cnet.layers.{index}"
        classes = classes + step(classes, norm(x, f"{name}.norm"), name)
    scores = F.normalize(x, dim=-1) @ F.normalize(norm(classes, "cnorm"), dim=-1).transpose(1, 2)
    return norm(scores, "mask_norm")


@torch.no_grad()
@pytest.mark.parametrize("attention", ["sa", "ca"])
def test_rotating_inside_a_head_changes_nothing_in_depict(attention: str) -> None:
    """The projection P of a head enters as P'P alone, so an orthogonal Q in front of it cancels."""
    sizes = {"layers": 1, "decoder_layers": 2, "decoder_heads": 2, "image_size": 64}
    model = randomised(create_model(f"depict_{attention}_vit_tiny_patch16", 5, **sizes)).double()
    pixels = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        before = model(pixels)
        heads = [module for module in model.modules() if isinstance(module, SubspaceAttention)]
        for head in heads:
            each = head.proj.view(head.size.heads, head.size.dim_head, -1)
            rotation, _ = torch.linalg.qr(torch.randn(*each.shape[:2], each.shape[1]).double())
            each.copy_(rotation @ each)
        turned = model(pixels)
        heads[0].proj.mul_(1.01)  # a stretch does not cancel
        stretched = model(pixels)
    torch.testing.assert_close(turned, before, rtol=0, atol=1e-10)
    assert float((stretched - before).abs().max()) > 1e-3


def test_depict_ca_decoder() -> None:
    model = create_model(
        "depict_ca_vit_tiny_patch16", 5, layers=1, decoder_layers=2, decoder_heads=2, image_size=64
    )
    decoder = randomised(model).double().decoder
    assert isinstance(decoder, nn.Module)
    patches = torch.randn(2, 12, 192, dtype=torch.double)
    expected = depict_ca(decoder.state_dict(), patches, heads=2)
    torch.testing.assert_close(decoder(patches), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("training", [False, True])
def test_segformer_decoder_is_the_paper_s_with_the_order_exchanged(training) -> None:
    """Project, upsample, concatenate from the coarsest, fuse; values and gradients."""
    model = randomised(create_model("segformer_nano", num_classes=5)).train(training).double()
    head = model.decode_head
    sides = ((16, 24), (8, 12), (4, 6), (2, 3))
    widths = model.config["widths"]
    maps = [
        torch.randn(2, width, *side, dtype=torch.double, requires_grad=True)
        for width, side in zip(widths, sides, strict=True)
    ]
    plain = copy.deepcopy(head)
    logits = head(maps)
    levels = []
    for number in (4, 3, 2, 1):
        projected = getattr(plain, f"linear_c{number}").proj(maps[number - 1].permute(0, 2, 3, 1))
        level = projected.permute(0, 3, 1, 2)
        levels.append(F.interpolate(level, size=sides[0], mode="bilinear", align_corners=False))
    fused = plain.linear_fuse.conv(torch.cat(levels, dim=1))
    expected = plain.linear_pred(plain.linear_fuse.bn(fused).relu())
    torch.testing.assert_close(logits, expected)
    weights = torch.randn_like(logits)
    ours = torch.autograd.grad((logits * weights).sum(), [*maps, *head.parameters()])
    theirs = torch.autograd.grad((expected * weights).sum(), [*maps, *plain.parameters()])
    torch.testing.assert_close(ours, theirs)


@torch.no_grad()
def test_segformer_s_ablations_by_hand() -> None:
    """No convolution but a table of positions in every stage, and the coarsest map alone."""
    model = create_model(
        "segformer_nano", 5, position="learned", mix_ffn=False, image_size=(64, 96)
    )
    encoder = randomised(model).double().eval().backbone
    sizes = [tuple(getattr(encoder, f"pos_embed{n}").table.shape[-2:]) for n in (1, 2, 3, 4)]
    assert sizes == [(16, 24), (8, 12), (4, 6), (2, 3)]
    patches, grid = encoder.patch_embed1(torch.randn(1, 3, 61, 83, dtype=torch.double))
    table = F.interpolate(
        encoder.pos_embed1.table, size=(16, 21), mode="bilinear", align_corners=False
    )
    placed = encoder.pos_embed1(patches, grid)
    torch.testing.assert_close(placed, patches + table.flatten(2).transpose(1, 2))
    ffn = encoder.block1[0].mlp
    assert not [name for name, _ in encoder.named_parameters() if "dwconv" in name]
    torch.testing.assert_close(ffn(placed, grid), ffn.fc2(F.gelu(ffn.fc1(placed))))

    last = randomised(create_model("segformer_nano", 5, decoder_levels="last")).double().eval()
    head = last.decode_head
    maps = last.backbone(torch.randn(1, 3, 64, 96, dtype=torch.double))
    level = head.linear_c4.proj(maps[3].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    level = F.interpolate(level, size=(16, 24), mode="bilinear", align_corners=False)
    torch.testing.assert_close(head(maps), head.linear_pred(level))


def test_later_arguments_are_named_where_they_are_not_the_usual_ones() -> None:
    """Evidence that is published names the arguments of its network, and is found by them."""
    later = {"mix_ffn", "position", "image_size", "decoder_levels"}
    plain = create_model("segformer_nano", 5, image_size=96, position="none").config
    assert not later & plain.keys()
    changed = create_model("segformer_nano", 5, 96, position="learned", decoder_levels="last")
    given = {"position": "learned", "image_size": [96, 96], "decoder_levels": "last"}
    assert changed.config == {**plain, **given}
    with pytest.raises(SegmodelsError, match="'position' must be 'none' or 'learned'"):
        create_model("segformer_nano", position="sine")


@torch.no_grad()
def test_segmenter_attention_and_mask_head_by_hand() -> None:
    model = randomised(create_model("segmenter_vit_nano_patch8_mask", num_classes=5))
    decoder = model.decoder
    assert isinstance(decoder, nn.Module)
    attention = decoder.blocks[0].attn
    tokens = torch.randn(2, 9, 96)
    query, key, value = attention.qkv(tokens).split(96, dim=-1)
    heads = []
    for index in range(3):
        part = slice(32 * index, 32 * index + 32)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / 32**0.5
        heads.append(scores.softmax(-1) @ value[..., part])
    expected = attention.proj(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(tokens), expected, rtol=1e-4, atol=1e-4)

    decoder.blocks = nn.ModuleList()
    x = decoder.decoder_norm(
        torch.cat([decoder.proj_dec(tokens), decoder.cls_emb.repeat(2, 1, 1)], 1)
    )
    patches, classes = x[:, :9] @ decoder.proj_patch, x[:, 9:] @ decoder.proj_classes
    cosines = F.cosine_similarity(patches[:, :, None], classes[:, None], dim=-1)
    torch.testing.assert_close(decoder(tokens), decoder.mask_norm(cosines), rtol=1e-4, atol=1e-4)


def test_positions_change_only_with_the_number_of_tokens() -> None:
    table = torch.randn(1, 1 + 4 * 6, 8)
    assert resize_positions(table, (4, 6), (4, 6), 1) is table
    assert resize_positions(table, (4, 6), (2, 12), 1) is table
    resized = resize_positions(table, (4, 6), (3, 5), 1)
    assert resized.shape == (1, 1 + 15, 8)
    assert torch.equal(resized[:, 0], table[:, 0])
    # rows and columns are not mixed up: a table that varies by row only still does
    rows = torch.arange(4.0).repeat_interleave(6).view(1, 24, 1).expand(1, 24, 8)
    grid = resize_positions(torch.cat([table[:, :1], rows], 1), (4, 6), (8, 5), 1)[0, 1:, 0]
    assert torch.equal(grid.view(8, 5)[:, :1].expand(8, 5), grid.view(8, 5))


def test_the_imagenet_head_is_counted_but_not_trained() -> None:
    model = create_model("segmenter_deit_tiny_distilled_patch16_mask", layers=1)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    heads = {
        f"encoder.{head}.{kind}" for head in ("head", "head_dist") for kind in ("weight", "bias")
    }
    assert frozen == heads
    assert not any(
        "head." in name
        for name, _ in create_model("segmenter_vit_nano_patch8_mask").named_parameters()
    )


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25)
    dropped = drop(torch.ones(4000, 2, 3))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(dropped.amin((1, 2)), dropped.amax((1, 2)))
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(drop.eval()(torch.ones(4, 2)), torch.ones(4, 2))


def test_drop_path_grows_linearly() -> None:
    assert schedule(0.1, 5) == pytest.approx([0.0, 0.025, 0.05, 0.075, 0.1])
    assert schedule(0.1, 1) == [0.0]
    model = create_model("segformer_b0", num_classes=2)
    rates = [m.rate for m in model.modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx(schedule(0.1, 8))


@torch.no_grad()
def test_layer_norm_eps_of_the_papers() -> None:
    def eps(name: str) -> dict[str, float]:
        with torch.device("meta"):
            modules = create_model(name).named_modules()
        return {name: m.eps for name, m in modules if isinstance(m, nn.LayerNorm)}

    assert set(eps("segmenter_vit_tiny_patch16_mask").values()) == {1e-5}
    assert set(eps("depict_ca_vit_tiny_patch16").values()) == {1e-5}
    for name, value in eps("segformer_b0").items():
        default = "patch_embed" in name or "attn.norm" in name
        assert value == (1e-5 if default else 1e-6), name
