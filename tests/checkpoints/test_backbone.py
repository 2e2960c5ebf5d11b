"""Encoders filled from ImageNet weights before a training, and what must not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import segmodels as sm
from segmodels.checkpoints import load_backbone, save_checkpoint
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel
from segmodels.models.vit import resize_positions

SMALL = {"layers": 2, "image_size": 96}
MIT = {"depths": (1, 1, 1, 1)}


def randomised(model: SegModel) -> SegModel:
    generator = torch.Generator().manual_seed(7)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator))
    return model


def weights_of(model: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in model.state_dict().items()}


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    """timm's file of a small ViT for 64 x 64 pixels with 1000 classes."""
    model = randomised(create_model("vit_tiny_patch16", 1000, image_size=64, layers=2))
    torch.save(weights_of(model, "encoder."), tmp_path / "vit.pth")
    return tmp_path / "vit.pth"


@pytest.fixture
def mit(tmp_path: Path) -> Path:
    model = randomised(create_model("mit_b0", 1000, **MIT))
    torch.save(weights_of(model, "backbone."), tmp_path / "mit_b0.pth")
    return tmp_path / "mit_b0.pth"


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("segmenter_vit_tiny_patch16_mask", SMALL),
        ("segmenter_vit_tiny_patch16_linear", SMALL),
        ("depict_sa_vit_tiny_patch16", SMALL),
        ("depict_ca_vit_tiny_patch16", SMALL),
    ],
)
def test_a_vit_fills_the_encoder_and_nothing_else(vit, name, sizes) -> None:
    model = create_model(name, 5, **sizes)
    before, file = snapshot(model), torch.load(vit, weights_only=True)
    preprocessing = model.preprocessing
    report = load_backbone(model, vit)
    after = model.state_dict()
    for key in before:
        if key in report.loaded:
            assert torch.equal(after[key], file[key.removeprefix("encoder.")])
        elif key not in report.resized:
            assert torch.equal(after[key], before[key])
    assert report.resized == ("encoder.pos_embed",)
    expected = resize_positions(file["pos_embed"], (4, 4), (6, 6), 1)
    assert torch.equal(after["encoder.pos_embed"], expected)
    assert {*report.loaded, *report.resized, *report.fresh} == set(before)
    assert all(key.startswith("decoder.") for key in report.fresh)
    assert report.unused == ()
    assert "encoder.head.weight" in report.loaded
    assert (model.training, model.preprocessing) == (True, preprocessing)


def test_nothing_is_resized_at_the_same_size(vit) -> None:
    model = create_model("segmenter_vit_tiny_patch16_mask", layers=2, image_size=64)
    report = load_backbone(model, vit)
    assert report.resized == ()
    assert "encoder.pos_embed" in report.loaded


def test_a_head_of_another_shape_stays(vit) -> None:
    model = create_model("segmenter_vit_tiny_patch16_mask", imagenet_classes=21843, **SMALL)
    before = snapshot(model)
    report = load_backbone(model, vit)
    assert report.unused == ("head.weight", "head.bias")
    assert report.fresh[:2] == ("encoder.head.weight", "encoder.head.bias")
    assert torch.equal(model.state_dict()["encoder.head.weight"], before["encoder.head.weight"])
    without = create_model("segmenter_vit_tiny_patch16_mask", imagenet_classes=0, **SMALL)
    assert load_backbone(without, vit).unused == ("head.weight", "head.bias")


def test_setr_has_no_place_for_two_more(vit) -> None:
    model = create_model("setr_pup", width=192, heads=3, layers=2, outputs=(1, 2), image_size=96)
    report = load_backbone(model, vit)
    assert set(report.unused) == {
        "head.weight",
        "head.bias",
        "norm.weight",
        "norm.bias",
        "patch_embed.proj.bias",
    }
    assert "backbone.blocks.1.mlp.fc2.bias" in report.loaded


@pytest.mark.parametrize("name", ["segformer_b0", "mit_b0"])
def test_a_mit_fills_a_segformer(mit, name) -> None:
    model = create_model(name, 5, **MIT)
    before, file = snapshot(model), torch.load(mit, weights_only=True)
    report = load_backbone(model, mit)
    after = model.state_dict()
    assert report.unused == ("head.weight", "head.bias")
    assert report.resized == ()
    assert all(key.startswith("backbone.") for key in report.loaded)
    for key in before:
        source = file[key.removeprefix("backbone.")] if key in report.loaded else before[key]
        assert torch.equal(after[key], source)


def test_a_mit_fills_what_an_ablation_shares_with_it(mit, tmp_path) -> None:
    ablation = {**MIT, "mix_ffn": False, "position": "learned"}
    model = create_model("segformer_b0", 5, 64, **ablation)
    before, file = snapshot(model), torch.load(mit, weights_only=True)
    report = load_backbone(model, mit)
    after = model.state_dict()
    tables = [f"backbone.pos_embed{number}.table" for number in (1, 2, 3, 4)]
    assert set(report.fresh) >= {*tables}
    assert all(torch.equal(after[key], before[key]) for key in tables)
    assert {key for key in report.unused if "head" not in key} == {k for k in file if "dwconv" in k}
    assert torch.equal(after["backbone.block1.0.mlp.fc1.weight"], file["block1.0.mlp.fc1.weight"])

    classifier = randomised(create_model("mit_b0", 10, 96, **ablation))
    save_checkpoint(classifier, tmp_path / "classifier")
    assert {*load_backbone(model, tmp_path / "classifier").resized} == {*tables}
    table = classifier.state_dict()[tables[0]]
    small = nn.functional.interpolate(table, size=(16, 16), mode="bilinear", align_corners=False)
    assert torch.equal(model.state_dict()[tables[0]], small)


def test_an_encoder_without_a_head_is_enough(tmp_path, vit) -> None:
    state = {k: v for k, v in torch.load(vit, weights_only=True).items() if "head" not in k}
    torch.save({"model": state}, tmp_path / "mae.pth")
    model = create_model("segmenter_vit_tiny_patch16_mask", **SMALL)
    report = load_backbone(model, tmp_path / "mae.pth")
    assert report.fresh[:2] == ("encoder.head.weight", "encoder.head.bias")


def test_a_saved_classifier_is_a_source_too(tmp_path) -> None:
    source = randomised(create_model("deit_tiny_distilled_patch16", 1000, **SMALL))
    save_checkpoint(source, tmp_path / "saved")
    model = create_model("segmenter_deit_tiny_distilled_patch16_mask", 5, **SMALL)
    report = sm.load_backbone(model, str(tmp_path / "saved"))
    assert all(key.startswith("decoder.") for key in report.fresh)
    wanted = source.state_dict()["head_dist.weight"]
    assert torch.equal(model.state_dict()["encoder.head_dist.weight"], wanted)
    save_checkpoint(model, tmp_path / "segmenter")
    with pytest.raises(SegmodelsError, match="is a Segmenter, no ImageNet classifier"):
        load_backbone(model, tmp_path / "segmenter")


def test_half_precision_weights_are_widened(tmp_path, vit) -> None:
    state = torch.load(vit, weights_only=True)
    torch.save({key: value.half() for key, value in state.items()}, tmp_path / "half.pth")
    model = create_model("segmenter_vit_tiny_patch16_mask", **SMALL)
    load_backbone(model, tmp_path / "half.pth")
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "vit in mit": ("segformer_b0", MIT, "vit", r"holds a ViT, the model's encoder is a MiT"),
    "mit in vit": (
        "segmenter_vit_tiny_patch16_mask",
        SMALL,
        "mit",
        r"holds a MiT, the model's encoder is a ViT",
    ),
    "no encoder": ("unet", {}, "vit", r"UNet has no encoder that ImageNet weights fill"),
    "distilled": (
        "segmenter_deit_tiny_distilled_patch16_mask",
        SMALL,
        "vit",
        r"lacks the distillation token",
    ),
    "deeper": (
        "segmenter_vit_tiny_patch16_mask",
        {"layers": 3, "image_size": 96},
        "vit",
        r"does not fit 'the encoder of segmenter_vit_tiny_patch16_mask'.*12 missing",
    ),
    "wider": ("segmenter_vit_small_patch16_mask", SMALL, "vit", r"misshapen.*instead of.*384"),
    "patches": ("segmenter_vit_small_patch32_mask", SMALL, "vit", r"misshapen"),
    "other widths": ("segformer_b1", MIT, "mit", r"misshapen"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_changes_nothing(request, case) -> None:
    name, sizes, fixture, message = REFUSED[case]
    path = request.getfixturevalue(fixture)
    model = create_model(name, **sizes)
    before = snapshot(model)
    with pytest.raises(SegmodelsError, match=message):
        load_backbone(model, path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_distilled_file_needs_a_distilled_encoder(tmp_path) -> None:
    source = create_model("deit_tiny_distilled_patch16", **SMALL)
    torch.save(weights_of(source, "encoder."), tmp_path / "deit.pth")
    model = create_model("segmenter_vit_tiny_patch16_mask", **SMALL)
    with pytest.raises(SegmodelsError, match=r"has a distillation token.*does not"):
        load_backbone(model, tmp_path / "deit.pth")


def test_heads_that_a_file_names_must_agree(tmp_path) -> None:
    source = create_model("vit_tiny_patch16", heads=6, **SMALL)
    save_checkpoint(source, tmp_path / "six")
    model = create_model("segmenter_vit_tiny_patch16_mask", **SMALL)
    with pytest.raises(SegmodelsError, match="has 6 attention heads, the model's encoder 3"):
        load_backbone(model, tmp_path / "six")


def test_what_is_no_imagenet_file_is_told(tmp_path) -> None:
    model = create_model("segmenter_vit_tiny_patch16_mask", **SMALL)
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pth")
    np.savez(tmp_path / "other.npz", weights=np.zeros(1))
    for name in ("other.pth", "other.npz"):
        with pytest.raises(SegmodelsError, match="holds no ImageNet weights of a ViT or MiT"):
            load_backbone(model, tmp_path / name)
    with pytest.raises(SegmodelsError, match="There are no weights at"):
        load_backbone(model, tmp_path / "nowhere.pth")
