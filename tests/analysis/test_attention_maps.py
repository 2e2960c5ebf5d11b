from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segmodels.analysis.attention import attention, attention_layers
from segmodels.analysis.attention_layers import parts_of
from segmodels.analysis.attention_report import write_attention
from segmodels.analysis.report import Report
from segmodels.analysis.watching import watching
from segmodels.errors import SegmodelsError
from segmodels.models import create_model

#: Name, what makes it small, and the number of attention layers of encoder and decoder.
NETWORKS = {
    "segmenter": ("segmenter_vit_nano_patch8_mask", {"layers": 2, "decoder_layers": 1}, 2, 1),
    "linear": ("segmenter_vit_tiny_patch16_linear", {"layers": 1, "width": 48, "heads": 3}, 1, 0),
    "depict-sa": ("depict_sa_vit_nano_patch8", {"layers": 1, "decoder_layers": 2}, 1, 2),
    "depict-ca": (
        "depict_sa_vit_nano_patch8",
        {"layers": 1, "decoder_layers": 1, "cross_layers": 2, "attention": "ca"},
        1,
        3,
    ),
    "cbt": (
        "cbt_vit_tiny_patch16",
        {"patch_size": 8, "width": 48, "heads": 3, "layers": 1, "decoder_layers": 1},
        1,
        0,
    ),
    "segformer": ("segformer_nano", {}, 4, 0),
}
CLASSES = 5


def model_of(name):
    torch.manual_seed(0)
    return create_model(NETWORKS[name][0], CLASSES, **NETWORKS[name][1]).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_give_the_output_of_every_layer(name):
    """For all queries at once, not for those alone that are drawn."""
    model, pixels = model_of(name), torch.randn(1, 3, 40, 56)
    layers = attention_layers(model)
    with torch.no_grad(), watching(layers.values()) as seen:
        model.forward_lowres(pixels)
        for module in layers.values():
            parts = parts_of(module, seen[module].given)
            scores = parts.query @ parts.key.transpose(-1, -2) * parts.query.shape[-1] ** -0.5
            mixed = (scores.softmax(-1) @ parts.value).transpose(0, 1).flatten(1)
            torch.testing.assert_close(
                parts.project(mixed), seen[module].gave[0], atol=1e-5, rtol=0
            )


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_of_all_layers(name):
    _, _, encoder, decoder = NETWORKS[name]
    found = attention(
        model_of(name), torch.randn(1, 3, 40, 56), [(0.5, 0.5), (0.0, 0.99)], classes=2
    )
    layers = {(one.part, one.layer) for one in found.maps}
    wanted = {("encoder", n + 1) for n in range(encoder)}
    assert layers == wanted | {("decoder", n + 1) for n in range(decoder)}
    for one in found.maps:
        assert one.deviation < 1e-5
        np.testing.assert_allclose(one.weights.sum(axis=(1, 2)) + one.elsewhere, 1, atol=1e-5)
    kinds = {one.query.kind for one in found.maps if one.part == "encoder"}
    assert kinds == ({"patch"} if name == "segformer" else {"patch", "class token"})
    kinds = {one.query.kind for one in found.maps if one.part == "decoder"}
    assert kinds == ({"patch", "class"} if decoder else set())


def test_the_queries_are_the_tokens_they_are_said_to_be():
    model, pixels = model_of("segmenter"), torch.randn(1, 3, 40, 56)
    found = attention(model, pixels, [(0.3, 0.5)], classes=CLASSES)
    with (
        torch.no_grad(),
        watching([model.encoder.blocks[0].attn, model.decoder.blocks[0].attn]) as seen,
    ):
        logits = model.forward_lowres(pixels)
    for part, module, patches in (
        ("encoder", model.encoder.blocks[0].attn, slice(1, 36)),
        ("decoder", model.decoder.blocks[0].attn, slice(0, 35)),
    ):
        x = seen[module].given[0]
        query, key, _ = module.qkv(x).view(x.shape[1], 3, module.heads, -1).unbind(1)
        weights = torch.einsum("qhd,khd->hqk", query, key).mul(query.shape[-1] ** -0.5).softmax(-1)
        for one in found.maps:
            if one.part != part or one.layer != 1:
                continue
            patch = 1 * 7 + 3  # row 0.3 of 5, column 0.5 of 7
            place = {"class token": 0, "patch": patch + patches.start}.get(
                one.query.kind, 35 + one.query.number
            )
            wanted = weights[:, place, patches].reshape(-1, 5, 7)
            np.testing.assert_allclose(one.weights, wanted.detach().numpy(), atol=1e-6)
    asked = [query.number for query in found.queries if query.kind == "class"]
    covered = torch.bincount(logits[0].argmax(0).flatten(), minlength=CLASSES)
    assert [int(covered[one]) for one in asked] == sorted(covered[covered > 0].tolist())[::-1]


def test_attention_over_fewer_keys_than_queries():
    """SegFormer's stages look at maps that are reduced."""
    model = model_of("segformer")
    found = attention(model, torch.randn(1, 3, 64, 96), [(0.5, 0.5)])
    reductions = model.config["reductions"]
    assert reductions[0] > 1
    sizes = [stride * one for stride, one in zip((4, 8, 16, 32), reductions, strict=True)]
    wanted = [(64 // size, 96 // size) for size in sizes]
    assert [one.weights.shape[1:] for one in found.maps] == wanted


def test_places_of_one_name_would_be_one_file():
    with pytest.raises(SegmodelsError, match=r"'patch at 0\.50 0\.50' is asked for twice"):
        attention(model_of("linear"), torch.randn(1, 3, 32, 32), [(0.501, 0.5), (0.502, 0.5)])


def test_an_image_may_be_very_wide(tmp_path):
    found = attention(model_of("linear"), torch.randn(1, 3, 8, 512), [(0.5, 0.5)])
    paths = write_attention(found, np.zeros((1, 512, 3), np.uint8), Report(tmp_path, "wide", {}))
    assert [path.name for path in paths if path.suffix == ".png"] == [
        "wide-class-token.png",
        "wide-patch-at-0.50-0.50.png",
    ]


def test_weights_that_are_not_the_layers_own_are_told(monkeypatch):
    model = model_of("segmenter")
    attend = F.scaled_dot_product_attention
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda q, k, v, **more: attend(q, k, 1.01 * v, **more)
    )
    with pytest.raises(SegmodelsError, match="another output than the layer"):
        attention(model, torch.randn(1, 3, 40, 56), [(0.5, 0.5)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet", "'unet' has no attention layers. Attention is drawn of Segmenter, DEPICT"),
        ("upernet_swin_tiny", "attention within windows of its maps only"),
    ],
)
def test_networks_without_it_are_refused(name, message):
    swin = {"width": 8, "heads": (1, 1, 2, 2), "depths": (1, 1, 1, 1), "channels": 8}
    small = {"width": 8} if name == "unet" else swin
    with pytest.raises(SegmodelsError, match=message):
        attention_layers(create_model(name, 3, **small))
