"""Backbones of convolutional networks and of UPerNet, filled from ImageNet weights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from foreign_backbones import mobilenet, swin_of_its_authors
from torch import Tensor

import segmodels as sm
from segmodels.checkpoints.mmseg_backbones.swin import reordered
from segmodels.errors import SegmodelsError
from segmodels.models import create_model
from segmodels.models.base import SegModel

Tensors = dict[str, Tensor]

SWIN = {"depths": (1, 1, 1, 1), "width": 16, "heads": (1, 1, 2, 2), "channels": 16}


def drawn(model: SegModel) -> Tensors:
    """New values for every tensor of the backbone, under our names without its prefix."""
    random = torch.Generator().manual_seed(3)
    return {
        key.removeprefix("backbone."): torch.rand(value.shape, generator=random)
        if value.is_floating_point()
        else value.clone()
        for key, value in model.state_dict().items()
        if key.startswith("backbone.")
    }


def renamed(tensors: Tensors, *pairs: tuple[str, str]) -> Tensors:
    """Names by the first pattern that fits."""

    def name(key: str) -> str:
        for pattern, new in pairs:
            if re.match(pattern, key):
                return re.sub(pattern, new, key, count=1)
        return key

    return {name(key): value for key, value in tensors.items()}


def old_merging(key: str, tensor: Tensor) -> Tensor:
    """Ours in mmsegmentation's order: what becomes ours by `reordered`."""
    if "downsample." not in key:
        return tensor
    places = reordered(torch.arange(tensor.shape[-1]))
    theirs = torch.empty_like(tensor)
    theirs[..., places] = tensor
    return theirs


def swin_of_mmsegmentation(tensors: Tensors) -> Tensors:
    bare = {k: old_merging(k, v) for k, v in tensors.items() if not re.match(r"norm\d", k)}
    return renamed(
        {**bare, "norm.weight": torch.ones(3)},
        (r"patch_embed\.proj\.", "patch_embed.projection."),
        (r"layers\.(\d)\.(blocks\.\d)\.attn\.", r"stages.\1.\2.attn.w_msa."),
        (r"layers\.(\d)\.(blocks\.\d)\.mlp\.fc1\.", r"stages.\1.\2.ffn.layers.0.0."),
        (r"layers\.(\d)\.(blocks\.\d)\.mlp\.fc2\.", r"stages.\1.\2.ffn.layers.1."),
        (r"layers\.", "stages."),
    )


def resnet(tensors: Tensors) -> Tensors:
    ours = renamed(tensors, (r"conv1\.", "stem."), (r"bn1\.", "stem.7."))
    return {**ours, "fc.weight": torch.ones(3, 3), "fc.bias": torch.ones(3)}


CASES = {
    "swin of its authors": ("upernet_swin_tiny", SWIN, swin_of_its_authors),
    "swin of mmsegmentation": ("upernet_swin_tiny", SWIN, swin_of_mmsegmentation),
    "resnet": ("pspnet_resnet50", {"channels": 8}, resnet),
    "resnet with all strides": ("segformer_resnet50", {"decoder_width": 8}, resnet),
    "mobilenet": ("fcn_mobilenetv2", {"channels": 8}, mobilenet),
}


@pytest.mark.parametrize("case", CASES)
def test_a_backbone_is_filled_and_nothing_else(case: str, tmp_path: Path) -> None:
    name, sizes, theirs = CASES[case]
    model = create_model(name, 3, **sizes)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    tensors = drawn(model)
    torch.save({"state_dict": theirs(tensors)}, tmp_path / "net.pth")
    report = sm.load_backbone(model, tmp_path / "net.pth")
    after = model.state_dict()
    for key, value in before.items():
        expected = tensors[key.removeprefix("backbone.")] if key in report.loaded else value
        assert torch.equal(after[key], expected), key
    assert {*report.loaded, *report.fresh} == set(before)
    drawn_still = [key for key in report.fresh if key.startswith("backbone.")]
    assert all(re.match(r"backbone\.norm\d\.", key) for key in drawn_still)
    assert bool(drawn_still) == case.startswith("swin")
    assert any(name.startswith(("norm.", "fc.", "head.", "conv2.")) for name in report.unused)


def test_old_files_count_no_batches(tmp_path: Path) -> None:
    model = create_model("fcn_mobilenetv2", 3, channels=8)
    file = mobilenet(drawn(model))
    torch.save({k: v for k, v in file.items() if "num_batches" not in k}, tmp_path / "net.pth")
    assert sm.load_backbone(model, tmp_path / "net.pth").loaded


def test_another_network_is_named_and_changes_nothing(tmp_path: Path) -> None:
    model = create_model("fcn_mobilenetv2", 3, channels=8)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    path = tmp_path / "net.pth"
    torch.save(resnet(drawn(create_model("fcn_resnet50", 3, channels=8))), path)
    with pytest.raises(SegmodelsError, match=r"net.pth holds no ImageNet weights of a MobileNetV2"):
        sm.load_backbone(model, path)
    with pytest.raises(SegmodelsError, match=r"does not fit 'the backbone of fcn_resnet101'.*miss"):
        sm.load_backbone(create_model("fcn_resnet101", 3, channels=8), path)
    swin = create_model("upernet_swin_tiny", 3, **SWIN)
    torch.save(swin_of_its_authors(drawn(swin)), path)
    with pytest.raises(SegmodelsError, match=r"misshapen .*relative_position_bias_table"):
        sm.load_backbone(create_model("upernet_swin_tiny", 3, **{**SWIN, "window": 12}), path)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
